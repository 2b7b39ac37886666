#pragma once
#include "problem.h"

namespace task {

constexpr char SYMBOL[] = "layer_norm";
constexpr double TARGET = 5;
constexpr Dims TIMED = {128, 131'072};
const std::vector<Dims> CHECKED = {{1, 2}, {3, 31}, {7, 1'000}, {65, 257}};
inline Dims drawn(Random& random) { return {random.between(1, 90), random.between(2, 1'500)}; }

inline std::size_t size_of(const Dims& d) { return static_cast<std::size_t>(d[0] * d[1]); }
inline std::vector<Input> inputs(const Dims& d) {
  const auto columns = static_cast<std::size_t>(d[1]);
  return {{Values::wide, size_of(d)}, {Values::unit, columns}, {Values::unit, columns}};
}
inline std::vector<std::size_t> outputs(const Dims& d) { return {size_of(d)}; }

inline void call(void* function, void* const* in, void* const* out, const Dims& d) {
  using Function = void(const float*, const float*, const float*, float*, int, int);
  reinterpret_cast<Function*>(function)(static_cast<float*>(in[0]), static_cast<float*>(in[1]), static_cast<float*>(in[2]), static_cast<float*>(out[0]),
                                        static_cast<int>(d[0]), static_cast<int>(d[1]));
}

inline std::string verify(const Data& data, const Dims& d, Random& random) {
  const auto columns = static_cast<std::size_t>(d[1]);
  return among(static_cast<std::size_t>(d[0]), 256, random, [&](std::size_t row) -> std::string {
    const std::size_t from = row * columns;
    double mean = 0, variance = 0;
    for (std::size_t i = 0; i < columns; i++) mean += data.in(0, from + i) / static_cast<double>(columns);
    for (std::size_t i = 0; i < columns; i++) variance += std::pow(data.in(0, from + i) - mean, 2) / static_cast<double>(columns);
    for (std::size_t i = 0; i < columns; i++) {
      const double normal = (data.in(0, from + i) - mean) / std::sqrt(variance + 1e-5);
      const std::string complaint = compared(from + i, data.out(0, from + i), normal * data.in(1, i) + data.in(2, i), 1e-4);
      if (!complaint.empty()) return complaint;
    }
    return "";
  });
}

}  // namespace task
