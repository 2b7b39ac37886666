#pragma once
#include "problem.h"

namespace task {

constexpr char SYMBOL[] = "scale_add_relu";
constexpr double TARGET = 8;
constexpr Dims TIMED = {1 << 24};
const std::vector<Dims> CHECKED = {{1}, {31}, {1'000}, {65'537}};
inline Dims drawn(Random& random) { return {random.between(2, 300'000)}; }

inline std::vector<Input> inputs(const Dims& d) {
  const auto n = static_cast<std::size_t>(d[0]);
  return {{Values::unit, n}, {Values::unit, n}};
}

inline std::vector<std::size_t> outputs(const Dims& d) { return {static_cast<std::size_t>(d[0])}; }

inline void call(void* function, void* const* in, void* const* out, const Dims& d) {
  using Function = void(const float*, const float*, float*, long long);
  reinterpret_cast<Function*>(function)(static_cast<float*>(in[0]), static_cast<float*>(in[1]), static_cast<float*>(out[0]), d[0]);
}

inline std::string verify(const Data& data, const Dims& d, Random& random) {
  return among(static_cast<std::size_t>(d[0]), 1 << 18, random, [&](std::size_t i) {
    return compared(i, data.out(0, i), std::fmax(2.5 * data.in(0, i) + data.in(1, i), 0.0), 1e-6);
  });
}

}  // namespace task
