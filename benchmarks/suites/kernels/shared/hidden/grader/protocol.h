// What the judge and a runner say to each other. The judge takes nothing that a runner says for true without checking it.
#pragma once
#include "problem.h"

enum class Order : std::int32_t { prepare, go, fetch };

struct Command {
  Order order;
  Dims dims;           // of prepare
  std::uint64_t seed;  // of go
};

struct Reply {
  std::int32_t failed;
  std::uint64_t digest;  // of go
  char why[240];
};

// Words before and after each output that no kernel may write to.
constexpr std::size_t GUARD = 64;

// What every word of an output and its guards is before a call: no number, and another one each time.
BOTH inline Word poison_of(std::uint64_t seed) { return 0x7fc00000u | static_cast<Word>(mixed(~seed) & 0x3fffffu); }

// One word's part in the digest of an output, which is the sum of all.
BOTH inline std::uint64_t part_of(std::uint64_t seed, int buffer, std::size_t index, Word word) {
  return mixed(seed_of(seed, buffer + 1000) + index * 0x9e3779b97f4a7c15ull + word);
}
