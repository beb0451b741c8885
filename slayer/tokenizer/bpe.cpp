#include "slayer/tokenizer/bpe.h"

#include <algorithm>
#include <fmt/format.h>

#include "slayer/core/error.h"
#include "slayer/core/utf8.h"
#include "slayer/tokenizer/byte_level.h"

namespace slayer {
namespace {

/// Up to this many symbols, scanning all pairs for the best beats a heap.
constexpr size_t kShortPiece = 48;

constexpr uint32_t kNone = UINT32_MAX;

uint64_t joined(char32_t left, char32_t right) { return uint64_t{left} << 32U | right; }

/// A min-heap: lowest rank on top, the leftmost among equals.
bool goes_later(const Bpe::Workspace::Candidate& a, const Bpe::Workspace::Candidate& b) {
  return a.rank != b.rank ? a.rank > b.rank : a.position > b.position;
}

}  // namespace

Bpe::Bpe(std::shared_ptr<const Vocabulary> vocabulary,
         const Merges& merges,
         const BpeOptions& options,
         const std::string& file)
    : vocabulary_(std::move(vocabulary)), options_(options), merges_(merges.size()) {
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    add_merge(merges, rank, file);
  }
  std::ranges::sort(joined_chars_);
  const auto duplicates = std::ranges::unique(joined_chars_);
  joined_chars_.erase(duplicates.begin(), duplicates.end());

  for (size_t byte = 0; byte < 256; ++byte) {
    fallback_bytes_[byte] = vocabulary_->id_of(fmt::format("<0x{:02X}>", byte));
    byte_symbols_[byte] =
        vocabulary_->id_of(to_byte_level(std::string(1, static_cast<char>(byte))));
  }
  for (size_t index = 0; index < vocabulary_->id_end(); ++index) {
    const auto id = static_cast<TokenId>(index);
    const std::string* token = vocabulary_->token_of(id);
    if (token != nullptr && !token->empty() && char_at(*token, 0).size == token->size()) {
      char_symbols_.emplace(char_at(*token, 0).code_point, id);
    }
  }
}

void Bpe::add_merge(const Merges& merges, size_t rank, const std::string& file) {
  const auto& [left, right] = merges[rank];
  const auto id_in_vocabulary = [&](const std::string& token, std::string_view role) {
    const auto id = vocabulary_->id_of(token);
    if (!id) {
      throw Error({.file = file,
                   .item = fmt::format("model.merges[{}]", rank),
                   .found = fmt::format("the {} \"{}\"", role, printable(token)),
                   .expected = "a token of model.vocab"});
    }
    return *id;
  };
  const std::string merged = left + right;
  const TokenId left_id = id_in_vocabulary(left, "left part");
  const TokenId right_id = id_in_vocabulary(right, "right part");
  const TokenId merged_id = id_in_vocabulary(merged, "result");
  merges_.add(left_id, right_id, {static_cast<uint32_t>(rank), merged_id});
  if (options_.is_byte_level) {
    return;
  }
  for (size_t position = 0; position < merged.size();) {
    const auto [code_point, size] = char_at(merged, position);
    position += size;
    if (position < merged.size()) {
      joined_chars_.push_back(joined(code_point, char_at(merged, position).code_point));
    }
  }
}

void Bpe::encode(std::string_view piece, Workspace& workspace, std::vector<TokenId>& ids) const {
  if (options_.ignore_merges) {
    const auto id =
        vocabulary_->id_of(options_.is_byte_level ? to_byte_level(piece) : std::string(piece));
    if (id) {
      ids.push_back(*id);
      return;
    }
  }
  workspace.ids.clear();
  find_symbols(piece, workspace.ids);
  if (workspace.ids.size() <= kShortPiece) {
    merge_short(workspace, ids);
  } else {
    merge_long(workspace, ids);
  }
}

bool Bpe::falls_back_to_bytes(std::string_view character, std::vector<TokenId>& ids) const {
  const auto token_of_byte = [&](char byte) {
    return fallback_bytes_[static_cast<unsigned char>(byte)];
  };
  if (!options_.byte_fallback ||
      !std::ranges::all_of(character, [&](char byte) { return token_of_byte(byte).has_value(); })) {
    return false;
  }
  for (const char byte : character) {
    ids.push_back(*token_of_byte(byte));
  }
  return true;
}

void Bpe::find_symbols(std::string_view piece, std::vector<TokenId>& ids) const {
  // An unknown token is held back until a known character or the end, so that the next unknown
  // character can join it.
  bool has_pending_unk = false;
  const auto add = [&](std::optional<TokenId> id, std::string_view character) {
    if (id) {
      if (has_pending_unk) {
        ids.push_back(*options_.unk_id);
        has_pending_unk = false;
      }
      ids.push_back(*id);
    } else if (!falls_back_to_bytes(character, ids) && options_.unk_id) {
      if (has_pending_unk && !options_.fuse_unk) {
        ids.push_back(*options_.unk_id);
      }
      has_pending_unk = true;
    }
  };
  for (size_t position = 0; position < piece.size();) {
    if (options_.is_byte_level) {
      const std::string_view byte = piece.substr(position++, 1);
      const auto id = byte_symbols_[static_cast<unsigned char>(byte[0])];
      add(id, id ? byte : std::string_view(to_byte_level(byte)));
    } else {
      const auto [code_point, size] = char_at(piece, position);
      const auto found = char_symbols_.find(code_point);
      add(found == char_symbols_.end() ? std::nullopt : std::optional(found->second),
          piece.substr(position, size));
      position += size;
    }
  }
  if (has_pending_unk) {
    ids.push_back(*options_.unk_id);
  }
}

void Bpe::merge_short(Workspace& workspace, std::vector<TokenId>& ids) const {
  std::vector<TokenId>& symbols = workspace.ids;
  std::vector<Merge>& merges = workspace.merges;  // merges[i]: of symbols i and i + 1.
  merges.clear();
  for (size_t i = 0; i + 1 < symbols.size(); ++i) {
    merges.push_back(merges_.find(symbols[i], symbols[i + 1]));
  }
  while (!merges.empty()) {
    const auto best = std::ranges::min_element(merges, {}, &Merge::rank);
    if (best->rank == Merge::kNever) {
      break;
    }
    const auto i = static_cast<size_t>(best - merges.begin());
    symbols[i] = best->merged;
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    merges.erase(best);
    if (i > 0) {
      merges[i - 1] = merges_.find(symbols[i - 1], symbols[i]);
    }
    if (i < merges.size()) {
      merges[i] = merges_.find(symbols[i], symbols[i + 1]);
    }
  }
  ids.insert(ids.end(), symbols.begin(), symbols.end());
}

void Bpe::merge_long(Workspace& workspace, std::vector<TokenId>& ids) const {
  constexpr TokenId kGone = -1;
  auto& symbols = workspace.symbols;
  auto& heap = workspace.heap;
  const auto count = static_cast<uint32_t>(workspace.ids.size());
  symbols.clear();
  heap.clear();
  const auto consider = [&](uint32_t left, uint32_t right) {
    const Merge merge = merges_.find(symbols[left].id, symbols[right].id);
    if (merge.rank != Merge::kNever) {
      heap.push_back({merge.rank, left, merge.merged});
      return true;
    }
    return false;
  };
  for (uint32_t i = 0; i < count; ++i) {
    symbols.push_back({workspace.ids[i], i == 0 ? kNone : i - 1, i + 1 == count ? kNone : i + 1});
  }
  for (uint32_t i = 0; i + 1 < count; ++i) {
    consider(i, i + 1);
  }
  std::ranges::make_heap(heap, goes_later);
  while (!heap.empty()) {
    std::ranges::pop_heap(heap, goes_later);
    const auto candidate = heap.back();
    heap.pop_back();
    auto& left = symbols[candidate.position];
    if (left.id == kGone || left.next == kNone) {
      continue;
    }
    auto& right = symbols[left.next];
    if (merges_.find(left.id, right.id).rank != candidate.rank) {
      continue;  // One of the two has merged with another since.
    }
    left.id = candidate.merged;
    right.id = kGone;
    left.next = right.next;
    if (left.next != kNone) {
      symbols[left.next].previous = candidate.position;
      if (consider(candidate.position, left.next)) {
        std::ranges::push_heap(heap, goes_later);
      }
    }
    if (left.previous != kNone && consider(left.previous, candidate.position)) {
      std::ranges::push_heap(heap, goes_later);
    }
  }
  for (uint32_t i = 0; i != kNone; i = symbols[i].next) {
    ids.push_back(symbols[i].id);
  }
}

bool Bpe::can_cut() const {
  const bool knows_all_bytes =
      options_.byte_fallback &&
      std::ranges::all_of(fallback_bytes_, [](const auto& id) { return id.has_value(); });
  const bool fuses_unknowns = options_.unk_id && options_.fuse_unk && !knows_all_bytes;
  return !options_.is_byte_level && !options_.ignore_merges && !fuses_unknowns;
}

size_t Bpe::next_cut(std::string_view text, size_t begin) const {
  auto [left, size] = char_at(text, begin);
  for (size_t position = begin + size; position < text.size(); position += size) {
    const DecodedChar right = char_at(text, position);
    if (!std::ranges::binary_search(joined_chars_, joined(left, right.code_point))) {
      return position;
    }
    left = right.code_point;
    size = right.size;
  }
  return text.size();
}

}  // namespace slayer
