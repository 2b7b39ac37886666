#pragma once
#include "problem.h"

namespace task {

constexpr char SYMBOL[] = "argmax_rows";
constexpr double TARGET = 4;
constexpr Dims TIMED = {128, 262'144};
const std::vector<Dims> CHECKED = {{1, 1}, {3, 31}, {64, 256}, {7, 1'000}, {65, 2'049}};
inline Dims drawn(Random& random) { return {random.between(1, 90), random.between(2, 2'500)}; }

inline std::size_t size_of(const Dims& d) { return static_cast<std::size_t>(d[0] * d[1]); }
inline std::vector<Input> inputs(const Dims& d) { return {{Values::small, size_of(d)}}; }
inline std::vector<std::size_t> outputs(const Dims& d) { return {static_cast<std::size_t>(d[0])}; }

inline void call(void* function, void* const* in, void* const* out, const Dims& d) {
  using Function = void(const float*, int*, int, int);
  reinterpret_cast<Function*>(function)(static_cast<float*>(in[0]), static_cast<int*>(out[0]), static_cast<int>(d[0]), static_cast<int>(d[1]));
}

inline std::string verify(const Data& data, const Dims& d, Random&) {
  const auto columns = static_cast<std::size_t>(d[1]);
  for (std::size_t row = 0; row < static_cast<std::size_t>(d[0]); row++) {
    std::size_t best = 0;
    for (std::size_t i = 1; i < columns; i++)
      if (data.in(0, row * columns + i) > data.in(0, row * columns + best)) best = i;
    if (data.left(0, row) != best) return compared(row, static_cast<int>(data.left(0, row)), static_cast<double>(best), 0);
  }
  return "";
}

}  // namespace task
