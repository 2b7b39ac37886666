#pragma once
#include "problem.h"

namespace task {

constexpr char SYMBOL[] = "matrix_multiply";
constexpr double TARGET = 6;
constexpr Dims TIMED = {2'048, 2'048, 2'048};
const std::vector<Dims> CHECKED = {{1, 1, 1}, {17, 5, 33}, {64, 64, 64}, {130, 67, 71}};
inline Dims drawn(Random& random) { return {random.between(1, 150), random.between(1, 150), random.between(1, 150)}; }

inline std::vector<Input> inputs(const Dims& d) {
  return {{Values::unit, static_cast<std::size_t>(d[0] * d[2])}, {Values::unit, static_cast<std::size_t>(d[2] * d[1])}};
}
inline std::vector<std::size_t> outputs(const Dims& d) { return {static_cast<std::size_t>(d[0] * d[1])}; }

inline void call(void* function, void* const* in, void* const* out, const Dims& d) {
  using Function = void(const float*, const float*, float*, int, int, int);
  reinterpret_cast<Function*>(function)(static_cast<float*>(in[0]), static_cast<float*>(in[1]), static_cast<float*>(out[0]), static_cast<int>(d[0]),
                                        static_cast<int>(d[1]), static_cast<int>(d[2]));
}

// Single precision throughout keeps well within the tolerance; products rounded to TF32 or to half precision do not.
inline std::string verify(const Data& data, const Dims& d, Random& random) {
  const auto n = static_cast<std::size_t>(d[1]), k = static_cast<std::size_t>(d[2]);
  return among(static_cast<std::size_t>(d[0] * d[1]), 40'000, random, [&](std::size_t i) {
    double sum = 0;
    for (std::size_t at = 0; at < k; at++) sum += data.in(0, i / n * k + at) * data.in(1, at * n + i % n);
    return compared(i, data.out(0, i), sum, 1e-5 + 8e-6 * std::sqrt(static_cast<double>(k)));
  });
}

}  // namespace task
