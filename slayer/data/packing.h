#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "slayer/data/token_store.h"

namespace slayer {

/// How documents share a sequence.
enum class Packing : uint8_t {
  kDocuments,  ///< Attention and positions end at each document's border.
  kWhole,      ///< As kDocuments, and none is cut to fill a sequence: each holds as many whole
               ///< documents as fit, one longer than a sequence loses its end.
  kStream      ///< One stream of text, borders marked by the special tokens alone.
};

/// "documents", "whole" or "stream". @throws Error for another word.
Packing packing_from_name(std::string_view name);
std::string_view name_of(Packing packing);

/// Target of a position whose next token must not be learnt; as in transformers.
inline constexpr int64_t kNoTarget = -100;

/// One row of a batch.
struct Sequence {
  std::vector<int64_t> input_ids;   ///< [seq_len]
  std::vector<int64_t> target_ids;  ///< [seq_len], the token after each input, or kNoTarget.
  /// Lengths of the pieces that attend to nothing but themselves, positions from 0 in each; they
  /// add up to seq_len.
  std::vector<int64_t> pieces;
  int64_t target_count = 0;  ///< Positions that have a target.
};

/// The corpus cut into sequences of one length. But for kWhole, sequence i takes tokens [i *
/// seq_len, (i + 1) * seq_len) and the one after as its last target, so each token is input once
/// and, but for the first of each document, target once, if the store wants it predicted.
/// Sequences that are not full are filled up with a piece of padding that has no targets.
class PackedSequences final {
 public:
  /// `tokens` must outlive this. `padding`: any token of the vocabulary.
  PackedSequences(const TokenStore& tokens, int64_t seq_len, Packing packing, TokenId padding);

  int64_t count() const;
  Sequence at(int64_t index) const;

  /// The documents that sequence `index` holds a part of: [first, last].
  std::pair<int64_t, int64_t> documents(int64_t index) const;

  /// Documents that kWhole cuts because they are longer than a sequence.
  int64_t cut_documents() const { return cut_documents_; }

 private:
  void place_whole_documents();
  void add_piece(int64_t begin, int64_t end, bool ends_document, Sequence& sequence) const;
  void add_pieces(int64_t begin, int64_t end, Sequence& sequence) const;
  void add_whole_documents(int64_t index, Sequence& sequence) const;
  void leave_out_targets(int64_t begin, int64_t end, std::span<int64_t> targets) const;
  int64_t document_begin(int64_t document) const;

  const TokenStore* tokens_;
  int64_t seq_len_;
  Packing packing_;
  TokenId padding_;
  std::vector<int64_t> first_documents_;  ///< kWhole: of each sequence, then their number.
  int64_t cut_documents_ = 0;
};

}  // namespace slayer
