#pragma once

#include <cstdint>

namespace slayer {

/// The order in which a training draws `count` sequences: each epoch a permutation of its own, a
/// pure function of (seed, epoch, index), so that a run's position is one integer and nothing is
/// held in memory.
///
/// A Feistel network over the smallest even number of bits that holds `count` permutes that
/// domain; walking its cycle until a value below `count` comes restricts it to the sequences.
/// Source: Black and Rogaway, "Ciphers with Arbitrary Finite Domains", CT-RSA 2002.
class EpochOrder final {
 public:
  /// `count` at least 1.
  EpochOrder(int64_t count, uint64_t seed);

  /// The sequence drawn at `draw`, counted from 0 over all epochs.
  int64_t at(int64_t draw) const;

  int64_t epoch_of(int64_t draw) const { return draw / count_; }

 private:
  uint64_t permute(uint64_t value, uint64_t key) const;

  int64_t count_;
  uint64_t seed_;
  uint32_t half_bits_ = 1;
};

}  // namespace slayer
