#include "slayer/data/order.h"

#include <cassert>

namespace slayer {
namespace {

constexpr uint64_t kRounds = 6;

/// Finaliser of SplitMix64: every input bit moves every output bit.
/// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
uint64_t mix(uint64_t value) {
  value += 0x9E3779B97F4A7C15U;
  value = (value ^ (value >> 30U)) * 0xBF58476D1CE4E5B9U;
  value = (value ^ (value >> 27U)) * 0x94D049BB133111EBU;
  return value ^ (value >> 31U);
}

}  // namespace

EpochOrder::EpochOrder(int64_t count, uint64_t seed) : count_(count), seed_(seed) {
  assert(count >= 1);
  while ((uint64_t{1} << (2 * half_bits_)) < static_cast<uint64_t>(count)) {
    ++half_bits_;
  }
}

uint64_t EpochOrder::permute(uint64_t value, uint64_t key) const {
  const uint64_t mask = (uint64_t{1} << half_bits_) - 1;
  uint64_t left = value >> half_bits_;
  uint64_t right = value & mask;
  for (uint64_t round = 0; round < kRounds; ++round) {
    const uint64_t next = left ^ (mix(key ^ mix(right * kRounds + round)) & mask);
    left = right;
    right = next;
  }
  return left << half_bits_ | right;
}

int64_t EpochOrder::at(int64_t draw) const {
  assert(draw >= 0);
  const uint64_t key = mix(seed_ ^ mix(static_cast<uint64_t>(epoch_of(draw))));
  auto value = static_cast<uint64_t>(draw % count_);
  do {
    value = permute(value, key);
  } while (value >= static_cast<uint64_t>(count_));
  return static_cast<int64_t>(value);
}

}  // namespace slayer
