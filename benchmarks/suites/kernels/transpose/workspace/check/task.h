#pragma once
#include "problem.h"

namespace task {

constexpr char SYMBOL[] = "transpose";
constexpr double TARGET = 3;
constexpr Dims TIMED = {8'192, 8'192};
const std::vector<Dims> CHECKED = {{1, 1}, {1, 77}, {31, 33}, {257, 130}};
inline Dims drawn(Random& random) { return {random.between(1, 500), random.between(1, 500)}; }

inline std::size_t size_of(const Dims& d) { return static_cast<std::size_t>(d[0] * d[1]); }
inline std::vector<Input> inputs(const Dims& d) { return {{Values::words, size_of(d)}}; }
inline std::vector<std::size_t> outputs(const Dims& d) { return {size_of(d)}; }

inline void call(void* function, void* const* in, void* const* out, const Dims& d) {
  using Function = void(const unsigned*, unsigned*, int, int);
  reinterpret_cast<Function*>(function)(static_cast<unsigned*>(in[0]), static_cast<unsigned*>(out[0]), static_cast<int>(d[0]), static_cast<int>(d[1]));
}

inline std::string verify(const Data& data, const Dims& d, Random& random) {
  const auto rows = static_cast<std::size_t>(d[0]), columns = static_cast<std::size_t>(d[1]);
  return among(size_of(d), 1 << 22, random, [&](std::size_t i) {
    const std::size_t from = i % rows * columns + i / rows;
    return compared(i, data.left(0, i), data.given(0, from), 0);
  });
}

}  // namespace task
