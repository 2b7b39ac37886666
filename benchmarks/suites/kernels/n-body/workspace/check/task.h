#pragma once
#include "problem.h"

namespace task {

constexpr char SYMBOL[] = "accelerations";
constexpr double TARGET = 4;
constexpr double SOFTENING = 1e-2;
constexpr Dims TIMED = {32'768};
const std::vector<Dims> CHECKED = {{1}, {31}, {257}, {1'000}};
inline Dims drawn(Random& random) { return {random.between(2, 1'200)}; }

inline std::vector<Input> inputs(const Dims& d) { return {{Values::unit, static_cast<std::size_t>(3 * d[0])}}; }
inline std::vector<std::size_t> outputs(const Dims& d) { return {static_cast<std::size_t>(3 * d[0])}; }

inline void call(void* function, void* const* in, void* const* out, const Dims& d) {
  using Function = void(const float*, float*, int);
  reinterpret_cast<Function*>(function)(static_cast<float*>(in[0]), static_cast<float*>(out[0]), static_cast<int>(d[0]));
}

inline std::string verify(const Data& data, const Dims& d, Random& random) {
  const auto n = static_cast<std::size_t>(d[0]);
  return among(n, 300, random, [&](std::size_t body) -> std::string {
    double sums[3] = {}, size = 0;
    for (std::size_t other = 0; other < n; other++) {
      double to[3], distance = SOFTENING;
      for (std::size_t axis = 0; axis < 3; axis++) {
        to[axis] = data.in(0, 3 * other + axis) - data.in(0, 3 * body + axis);
        distance += to[axis] * to[axis];
      }
      for (std::size_t axis = 0; axis < 3; axis++) sums[axis] += to[axis] / (distance * std::sqrt(distance));
      size += 1 / distance;
    }
    for (std::size_t axis = 0; axis < 3; axis++) {
      const std::string complaint = compared(3 * body + axis, data.out(0, 3 * body + axis), sums[axis], 3e-6 * size);
      if (!complaint.empty()) return complaint;
    }
    return "";
  });
}

}  // namespace task
