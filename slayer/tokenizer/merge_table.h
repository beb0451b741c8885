#pragma once

#include <cstdint>
#include <vector>

#include "slayer/tokenizer/vocabulary.h"

namespace slayer {

/// What two neighbouring tokens become, and how early.
struct Merge {
  static constexpr uint32_t kNever = UINT32_MAX;

  uint32_t rank = kNever;  ///< Lower goes first.
  TokenId merged = 0;
};

/// A model's merges in an open-addressing hash table: the innermost lookup of encoding.
class MergeTable final {
 public:
  /// `capacity`: how many merges will be added.
  explicit MergeTable(size_t capacity);

  /// A pair that was added before gets the new merge, as in `tokenizers`.
  void add(TokenId left, TokenId right, Merge merge);

  /// rank kNever where the two do not merge.
  Merge find(TokenId left, TokenId right) const {
    const uint64_t key = key_of(left, right);
    for (size_t i = slot_of(key);; i = (i + 1) & mask_) {
      if (slots_[i].key == key || slots_[i].key == kEmpty) {
        return slots_[i].merge;
      }
    }
  }

 private:
  struct Slot {
    uint64_t key = kEmpty;
    Merge merge;
  };

  static constexpr uint64_t kEmpty = UINT64_MAX;  // No id is negative, so no pair has this key.

  static uint64_t key_of(TokenId left, TokenId right) {
    return uint64_t{static_cast<uint32_t>(left)} << 32U | static_cast<uint32_t>(right);
  }
  size_t slot_of(uint64_t key) const {
    const uint64_t mixed = (key ^ (key >> 32U)) * 0x9E3779B97F4A7C15U;  // Fibonacci hashing.
    return static_cast<size_t>(mixed >> 20U) & mask_;
  }

  std::vector<Slot> slots_;
  size_t mask_;
};

}  // namespace slayer
