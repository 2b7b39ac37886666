#pragma once
#include "problem.h"

namespace task {

constexpr char SYMBOL[] = "sum_all";
constexpr double TARGET = 6;
constexpr Dims TIMED = {1 << 25};
const std::vector<Dims> CHECKED = {{1}, {33}, {1'023}, {100'003}};
inline Dims drawn(Random& random) { return {random.between(2, 300'000)}; }

inline std::vector<Input> inputs(const Dims& d) { return {{Values::unit, static_cast<std::size_t>(d[0])}}; }

inline std::vector<std::size_t> outputs(const Dims&) { return {1}; }

inline void call(void* function, void* const* in, void* const* out, const Dims& d) {
  using Function = void(const float*, float*, long long);
  reinterpret_cast<Function*>(function)(static_cast<float*>(in[0]), static_cast<float*>(out[0]), d[0]);
}

inline std::string verify(const Data& data, const Dims& d, Random&) {
  double sum = 0, size = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(d[0]); i++) {
    sum += data.in(0, i);
    size += std::fabs(data.in(0, i));
  }
  return compared(0, data.out(0, 0), sum, 4e-7 * size);
}

}  // namespace task
