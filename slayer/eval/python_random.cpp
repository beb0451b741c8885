#include "slayer/eval/python_random.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <numeric>
#include <unordered_set>

namespace slayer {
namespace {

constexpr size_t kShift = 397;

uint32_t twist(uint32_t high, uint32_t low) {
  const uint32_t mixed = (high & 0x80000000U) | (low & 0x7fffffffU);
  return (mixed >> 1U) ^ ((low & 1U) != 0U ? 0x9908b0dfU : 0U);
}

/// Below this population `random.sample` copies the population; above it remembers the selected.
int64_t population_worth_copying(int64_t count) {
  int64_t size = 21;
  if (count > 5) {
    int64_t power = 4;  // 4 ** ceil(log4(3 * count))
    while (power < 3 * count) {
      power *= 4;
    }
    size += power;
  }
  return size;
}

}  // namespace

PythonRandom::PythonRandom(uint32_t seed) {
  state_[0] = 19650218U;
  for (uint32_t i = 1; i < kStateSize; ++i) {
    state_[i] = 1812433253U * (state_[i - 1] ^ (state_[i - 1] >> 30U)) + i;
  }
  // init_by_array with the one-word key {seed}.
  size_t i = 1;
  const auto wrap = [&] {
    if (++i == kStateSize) {
      state_[0] = state_[kStateSize - 1];
      i = 1;
    }
  };
  for (size_t k = 0; k < kStateSize; ++k) {
    state_[i] = (state_[i] ^ ((state_[i - 1] ^ (state_[i - 1] >> 30U)) * 1664525U)) + seed;
    wrap();
  }
  for (size_t k = 0; k + 1 < kStateSize; ++k) {
    state_[i] = (state_[i] ^ ((state_[i - 1] ^ (state_[i - 1] >> 30U)) * 1566083941U)) -
                static_cast<uint32_t>(i);
    wrap();
  }
  state_[0] = 0x80000000U;
}

void PythonRandom::refill() {
  for (size_t i = 0; i < kStateSize; ++i) {
    state_[i] = state_[(i + kShift) % kStateSize] ^ twist(state_[i], state_[(i + 1) % kStateSize]);
  }
  position_ = 0;
}

uint32_t PythonRandom::next_u32() {
  if (position_ == kStateSize) {
    refill();
  }
  uint32_t word = state_[position_++];
  word ^= word >> 11U;
  word ^= (word << 7U) & 0x9d2c5680U;
  word ^= (word << 15U) & 0xefc60000U;
  return word ^ (word >> 18U);
}

int64_t PythonRandom::below(int64_t bound) {
  assert(bound > 0 && bound <= int64_t{UINT32_MAX});
  const auto bits = static_cast<uint32_t>(std::bit_width(static_cast<uint64_t>(bound)));
  while (true) {
    const int64_t drawn = next_u32() >> (32U - bits);
    if (drawn < bound) {
      return drawn;
    }
  }
}

std::vector<int64_t> PythonRandom::sample(int64_t population, int64_t count) {
  assert(count >= 0 && count <= population);
  std::vector<int64_t> selected;
  if (population <= population_worth_copying(count)) {
    std::vector<int64_t> pool(static_cast<size_t>(population));
    std::iota(pool.begin(), pool.end(), int64_t{0});
    for (int64_t i = 0; i < count; ++i) {
      const auto j = static_cast<size_t>(below(population - i));
      selected.push_back(pool[j]);
      pool[j] = pool[static_cast<size_t>(population - i - 1)];
    }
    return selected;
  }
  std::unordered_set<int64_t> seen;
  while (std::ssize(selected) < count) {
    if (const int64_t drawn = below(population); seen.insert(drawn).second) {
      selected.push_back(drawn);
    }
  }
  return selected;
}

}  // namespace slayer
