#pragma once
#include "problem.h"

namespace task {

constexpr char SYMBOL[] = "histogram";
constexpr double TARGET = 4;
constexpr int BINS = 256;
constexpr Dims TIMED = {1 << 25};
const std::vector<Dims> CHECKED = {{1}, {33}, {1'025}, {100'003}};
inline Dims drawn(Random& random) { return {random.between(2, 300'000)}; }

inline std::vector<Input> inputs(const Dims& d) { return {{Values::skewed, static_cast<std::size_t>(d[0])}}; }
inline std::vector<std::size_t> outputs(const Dims&) { return {BINS}; }

inline void call(void* function, void* const* in, void* const* out, const Dims& d) {
  using Function = void(const unsigned*, unsigned*, long long);
  reinterpret_cast<Function*>(function)(static_cast<unsigned*>(in[0]), static_cast<unsigned*>(out[0]), d[0]);
}

inline std::string verify(const Data& data, const Dims& d, Random&) {
  std::vector<Word> counts(BINS);
  for (std::size_t i = 0; i < static_cast<std::size_t>(d[0]); i++) counts[data.given(0, i)]++;
  for (std::size_t bin = 0; bin < BINS; bin++)
    if (data.left(0, bin) != counts[bin]) return compared(bin, data.left(0, bin), counts[bin], 0);
  return "";
}

}  // namespace task
