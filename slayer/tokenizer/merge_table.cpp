#include "slayer/tokenizer/merge_table.h"

#include <bit>

namespace slayer {

// At most half full: probes stay short, and there is always an empty slot to end them.
MergeTable::MergeTable(size_t capacity)
    : slots_(std::bit_ceil(2 * capacity + 2)), mask_(slots_.size() - 1) {}

void MergeTable::add(TokenId left, TokenId right, Merge merge) {
  const uint64_t key = key_of(left, right);
  size_t i = slot_of(key);
  while (slots_[i].key != key && slots_[i].key != kEmpty) {
    i = (i + 1) & mask_;
  }
  slots_[i] = {key, merge};
}

}  // namespace slayer
