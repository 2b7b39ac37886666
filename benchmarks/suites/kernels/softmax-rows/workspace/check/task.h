#pragma once
#include "problem.h"

namespace task {

constexpr char SYMBOL[] = "softmax_rows";
constexpr double TARGET = 4;
constexpr Dims TIMED = {256, 65'536};
const std::vector<Dims> CHECKED = {{1, 1}, {3, 31}, {7, 1'000}, {65, 257}};
inline Dims drawn(Random& random) { return {random.between(1, 90), random.between(2, 1'500)}; }

inline std::size_t size_of(const Dims& d) { return static_cast<std::size_t>(d[0] * d[1]); }
inline std::vector<Input> inputs(const Dims& d) { return {{Values::wide, size_of(d)}}; }
inline std::vector<std::size_t> outputs(const Dims& d) { return {size_of(d)}; }

inline void call(void* function, void* const* in, void* const* out, const Dims& d) {
  using Function = void(const float*, float*, int, int);
  reinterpret_cast<Function*>(function)(static_cast<float*>(in[0]), static_cast<float*>(out[0]), static_cast<int>(d[0]), static_cast<int>(d[1]));
}

inline std::string verify(const Data& data, const Dims& d, Random& random) {
  const auto columns = static_cast<std::size_t>(d[1]);
  return among(static_cast<std::size_t>(d[0]), 256, random, [&](std::size_t row) -> std::string {
    const std::size_t from = row * columns;
    double most = data.in(0, from), sum = 0;
    for (std::size_t i = from; i < from + columns; i++) most = std::fmax(most, data.in(0, i));
    for (std::size_t i = from; i < from + columns; i++) sum += std::exp(data.in(0, i) - most);
    for (std::size_t i = from; i < from + columns; i++) {
      const double expected = std::exp(data.in(0, i) - most) / sum;
      const std::string complaint = compared(i, data.out(0, i), expected, 1e-7 + 4e-5 * expected);
      if (!complaint.empty()) return complaint;
    }
    return "";
  });
}

}  // namespace task
