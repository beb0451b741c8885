#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "slayer/tokenizer/merge_table.h"
#include "slayer/tokenizer/vocabulary.h"

namespace slayer {

/// How a model's pieces become its first symbols, and what happens to characters it does not know.
struct BpeOptions {
  bool is_byte_level = false;  ///< Symbols are bytes, in GPT-2's alphabet; else characters.
  bool byte_fallback = false;  ///< An unknown character becomes its bytes' tokens, "<0xE2>".
  bool ignore_merges = false;  ///< A piece that is a token is that token, whatever the merges say.
  bool fuse_unk = false;       ///< Neighbouring unknown characters share one unknown token.
  std::optional<TokenId> unk_id = {};  ///< Without it, unknown characters vanish.
};

/// Byte-pair encoding of one piece of text. Immutable.
///
/// The pair of neighbours with the lowest rank merges first, the leftmost among equals, until no
/// neighbours merge. Source: Sennrich et al. 2016, arXiv 1508.07909; unknown characters as in
/// huggingface/tokenizers, models/bpe/model.rs.
class Bpe final {
 public:
  using Merges = std::vector<std::pair<std::string, std::string>>;

  /// Memory that a thread keeps between calls.
  struct Workspace {
    struct Symbol {
      TokenId id;
      uint32_t previous;
      uint32_t next;
    };
    struct Candidate {
      uint32_t rank;
      uint32_t position;
      TokenId merged;
    };

    std::vector<TokenId> ids;
    std::vector<Merge> merges;
    std::vector<Symbol> symbols;
    std::vector<Candidate> heap;
  };

  /// `merges` in order of rank. @throws Error naming `file` and the merge whose parts or result
  /// are not in the vocabulary.
  Bpe(std::shared_ptr<const Vocabulary> vocabulary,
      const Merges& merges,
      const BpeOptions& options,
      const std::string& file);

  /// Appends the ids of `piece`, valid UTF-8.
  void encode(std::string_view piece, Workspace& workspace, std::vector<TokenId>& ids) const;

  /// Whether `next_cut` may be used: characters are not joined by anything but merges.
  bool can_cut() const;

  /// The first place after `begin` in `text` that no merge can reach across: what lies on either
  /// side is encoded alike together and apart. Without one, text.size(). It lets a long text
  /// be encoded word by word by models that have no pre-tokenizer.
  size_t next_cut(std::string_view text, size_t begin) const;

 private:
  void add_merge(const Merges& merges, size_t rank, const std::string& file);
  void find_symbols(std::string_view piece, std::vector<TokenId>& ids) const;
  void merge_short(Workspace& workspace, std::vector<TokenId>& ids) const;
  void merge_long(Workspace& workspace, std::vector<TokenId>& ids) const;
  bool falls_back_to_bytes(std::string_view character, std::vector<TokenId>& ids) const;

  std::shared_ptr<const Vocabulary> vocabulary_;
  BpeOptions options_;
  MergeTable merges_;
  std::array<std::optional<TokenId>, 256> byte_symbols_;    ///< Of each byte, when byte-level.
  std::array<std::optional<TokenId>, 256> fallback_bytes_;  ///< Ids of "<0x00>" to "<0xFF>".
  std::unordered_map<char32_t, TokenId> char_symbols_;
  std::vector<uint64_t>
      joined_chars_;  ///< Sorted pairs of characters that stand in a merged token.
};

}  // namespace slayer
