#pragma once
#include "problem.h"

namespace task {

constexpr char SYMBOL[] = "prefix_sum";
constexpr double TARGET = 4;
constexpr Dims TIMED = {1 << 25};
const std::vector<Dims> CHECKED = {{1}, {33}, {1'025}, {70'001}};
inline Dims drawn(Random& random) { return {random.between(2, 200'000)}; }

inline std::vector<Input> inputs(const Dims& d) { return {{Values::words, static_cast<std::size_t>(d[0])}}; }
inline std::vector<std::size_t> outputs(const Dims& d) { return {static_cast<std::size_t>(d[0])}; }

inline void call(void* function, void* const* in, void* const* out, const Dims& d) {
  using Function = void(const unsigned*, unsigned*, long long);
  reinterpret_cast<Function*>(function)(static_cast<unsigned*>(in[0]), static_cast<unsigned*>(out[0]), d[0]);
}

inline std::string verify(const Data& data, const Dims& d, Random&) {
  Word sum = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(d[0]); i++) {
    sum += data.given(0, i);
    if (data.left(0, i) != sum) return compared(i, data.left(0, i), sum, 0);
  }
  return "";
}

}  // namespace task
