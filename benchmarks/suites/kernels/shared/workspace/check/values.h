// Numbers that follow from a seed: the same on the GPU and on the CPU, bit by bit. Every element of every buffer is one word.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

#ifdef __CUDACC__
#define BOTH __host__ __device__
#else
#define BOTH
#endif

using Word = std::uint32_t;

enum class Values : int {
  unit,    // floats in [-1, 1)
  wide,    // floats in [-90, 90)
  small,   // floats that are whole numbers in [0, 500): most large rows have their maximum more than once
  words,   // 32 bits, each as likely as not
  skewed,  // bytes, most of them among the first four
};

// The finalizer of SplitMix64 (Steele, Lea, Flood 2014).
BOTH inline std::uint64_t mixed(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

BOTH inline float float_of(Word word) {
  float value;
  memcpy(&value, &word, sizeof value);
  return value;
}

BOTH inline Word word_of(float value) {
  Word word;
  memcpy(&word, &value, sizeof word);
  return word;
}

// Exact in every step but the last product, so that no way to compile it gives another number.
BOTH inline float unit_of(Word bits) { return static_cast<float>(bits >> 8) * 0x1p-23f - 1.0f; }

BOTH inline Word value_at(Values values, std::uint64_t seed, std::size_t index) {
  const std::uint64_t random = mixed(seed ^ mixed(index));
  const Word bits = static_cast<Word>(random >> 32);
  switch (values) {
    case Values::unit:
      return word_of(unit_of(bits));
    case Values::wide:
      return word_of(unit_of(bits) * 90.0f);
    case Values::small:
      return word_of(static_cast<float>(bits % 500u));
    case Values::skewed:
      return (bits & 7u) != 0u ? (bits >> 8) & 3u : (bits >> 16) & 255u;
    default:
      return bits;
  }
}

// The seed of one buffer among those of a call.
BOTH inline std::uint64_t seed_of(std::uint64_t seed, int buffer) { return mixed(seed + 0x632be59bd9b4e019ull * (buffer + 1)); }
