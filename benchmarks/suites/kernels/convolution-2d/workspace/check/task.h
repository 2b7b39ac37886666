#pragma once
#include "problem.h"

namespace task {

constexpr char SYMBOL[] = "convolve";
constexpr double TARGET = 4;
constexpr int RADIUS = 7, SIDE = 2 * RADIUS + 1;
constexpr Dims TIMED = {4'096, 4'096};
const std::vector<Dims> CHECKED = {{1, 1}, {5, 40}, {33, 31}, {130, 67}};
inline Dims drawn(Random& random) { return {random.between(1, 150), random.between(1, 150)}; }

inline std::size_t size_of(const Dims& d) { return static_cast<std::size_t>(d[0] * d[1]); }
inline std::vector<Input> inputs(const Dims& d) { return {{Values::unit, size_of(d)}, {Values::unit, SIDE * SIDE}}; }
inline std::vector<std::size_t> outputs(const Dims& d) { return {size_of(d)}; }

inline void call(void* function, void* const* in, void* const* out, const Dims& d) {
  using Function = void(const float*, const float*, float*, int, int);
  reinterpret_cast<Function*>(function)(static_cast<float*>(in[0]), static_cast<float*>(in[1]), static_cast<float*>(out[0]), static_cast<int>(d[0]),
                                        static_cast<int>(d[1]));
}

inline std::string verify(const Data& data, const Dims& d, Random& random) {
  const long long height = d[0], width = d[1];
  return among(size_of(d), 60'000, random, [&](std::size_t i) {
    const long long y = static_cast<long long>(i) / width, x = static_cast<long long>(i) % width;
    double sum = 0;
    for (int j = 0; j < SIDE; j++)
      for (int k = 0; k < SIDE; k++) {
        const long long row = y + j - RADIUS, column = x + k - RADIUS;
        if (row < 0 || row >= height || column < 0 || column >= width) continue;
        sum += data.in(0, static_cast<std::size_t>(row * width + column)) * data.in(1, static_cast<std::size_t>(j * SIDE + k));
      }
    return compared(i, data.out(0, i), sum, 1e-4);
  });
}

}  // namespace task
