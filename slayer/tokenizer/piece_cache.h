#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "slayer/tokenizer/vocabulary.h"

namespace slayer {

/// The ids of pieces seen lately. Words repeat, so most pieces are found here and never merged.
/// Direct-mapped: one slot a hash, the latest piece wins, memory is fixed. Not thread-safe.
class PieceCache final {
 public:
  PieceCache() : slots_(kSlots) {}

  /// The slot where the ids of `piece` are or would be.
  class Slot {
   public:
    bool holds(std::string_view piece) const {
      return piece_size_ == piece.size() &&
             std::memcmp(piece_.data(), piece.data(), piece.size()) == 0;
    }
    std::span<const TokenId> ids() const { return {ids_.data(), id_count_}; }

    /// Nothing happens where the piece or its ids are too many for a slot.
    void store(std::string_view piece, std::span<const TokenId> ids) {
      if (piece.size() > piece_.size() || ids.size() > ids_.size()) {
        return;
      }
      piece_size_ = static_cast<uint8_t>(piece.size());
      id_count_ = static_cast<uint8_t>(ids.size());
      std::memcpy(piece_.data(), piece.data(), piece.size());
      std::memcpy(ids_.data(), ids.data(), ids.size_bytes());
    }

   private:
    // One cache line: 30 bytes of piece, 8 ids.
    alignas(64) uint8_t piece_size_ = 0;
    uint8_t id_count_ = 0;
    std::array<char, 30> piece_{};
    std::array<TokenId, 8> ids_{};
  };

  /// `piece` is not empty.
  Slot& slot_for(std::string_view piece) { return slots_[hash(piece) % kSlots]; }

 private:
  static constexpr size_t kSlots = size_t{1} << 15;  // 2 MiB.

  /// Two overlapping words of the piece's ends, its size, and nothing between: pieces of text that
  /// differ only in their middles are rare.
  static size_t hash(std::string_view piece) {
    uint64_t first = 0;
    uint64_t last = 0;
    if (piece.size() >= sizeof(first)) {
      std::memcpy(&first, piece.data(), sizeof(first));
      std::memcpy(&last, piece.data() + piece.size() - sizeof(last), sizeof(last));
    } else if (piece.size() >= 4) {
      std::memcpy(&first, piece.data(), 4);
      std::memcpy(&last, piece.data() + piece.size() - 4, 4);
    } else {
      first = static_cast<unsigned char>(piece.front());
      last = static_cast<uint64_t>(static_cast<unsigned char>(piece[piece.size() / 2])) << 8U |
             static_cast<unsigned char>(piece.back());
    }
    const uint64_t mixed =
        (first * 0x9E3779B97F4A7C15U) ^ ((last + piece.size()) * 0xC2B2AE3D27D4EB4FU);
    return static_cast<size_t>((mixed * 0x9E3779B97F4A7C15U) >> 40U);
  }

  std::vector<Slot> slots_;
};

}  // namespace slayer
