// What a task says of itself in task.h, and what its check is made of.
#pragma once
#include <array>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "values.h"

// The sizes of one call, in the order of the function's last parameters; those that a task does not have are 0.
using Dims = std::array<long long, 3>;

struct Input {
  Values values;
  std::size_t count;
};

// What a call was given and what it left, by buffer.
struct Data {
  std::vector<std::vector<Word>> inputs;
  std::vector<std::vector<Word>> outputs;

  Word given(int buffer, std::size_t index) const { return inputs[buffer][index]; }
  Word left(int buffer, std::size_t index) const { return outputs[buffer][index]; }
  double in(int buffer, std::size_t index) const { return float_of(given(buffer, index)); }
  double out(int buffer, std::size_t index) const { return float_of(left(buffer, index)); }
};

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() { return mixed(state_ += 0x9e3779b97f4a7c15ull); }
  long long between(long long least, long long most) {
    return least + static_cast<long long>(next() % static_cast<std::uint64_t>(most - least + 1));
  }

 private:
  std::uint64_t state_;
};

inline std::vector<Word> values_of(const Input& input, std::uint64_t seed) {
  std::vector<Word> words(input.count);
  for (std::size_t i = 0; i < words.size(); i++) words[i] = value_at(input.values, seed, i);
  return words;
}

// "", or what is wrong with one number. What is not a number is wrong.
inline std::string compared(std::size_t index, double got, double expected, double tolerance) {
  if (std::fabs(got - expected) <= tolerance) return "";
  char text[160];
  std::snprintf(text, sizeof text, "element %zu is %.9g, not %.9g (tolerance %.2g)", index, got, expected, tolerance);
  return text;
}

// Asks for every index, or where there are more than `limit`, for the first, the last and `limit` drawn ones; until one is wrong.
template <class Wrong>
std::string among(std::size_t count, std::size_t limit, Random& random, Wrong wrong) {
  const bool all = count <= limit;
  for (std::size_t i = 0; i < (all ? count : limit + 2); i++) {
    const std::size_t drawn = i < 2 ? i * (count - 1) : random.next() % count;
    const std::string complaint = wrong(all ? i : drawn);
    if (!complaint.empty()) return complaint;
  }
  return "";
}
