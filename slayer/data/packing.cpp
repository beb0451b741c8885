#include "slayer/data/packing.h"

#include <algorithm>
#include <cassert>
#include <string>

#include "slayer/core/error.h"

namespace slayer {

Packing packing_from_name(std::string_view name) {
  if (name == "documents") {
    return Packing::kDocuments;
  }
  if (name == "stream") {
    return Packing::kStream;
  }
  throw Error({.item = "packing",
               .found = "\"" + printable(name) + "\"",
               .expected = "documents or stream"});
}

std::string_view name_of(Packing packing) {
  return packing == Packing::kDocuments ? "documents" : "stream";
}

PackedSequences::PackedSequences(const TokenStore& tokens,
                                 int64_t seq_len,
                                 Packing packing,
                                 TokenId padding)
    : tokens_(&tokens), seq_len_(seq_len), packing_(packing), padding_(padding) {
  assert(seq_len >= 1);
}

int64_t PackedSequences::count() const {
  return (tokens_->token_count() + seq_len_ - 1) / seq_len_;
}

Sequence PackedSequences::at(int64_t index) const {
  assert(index >= 0 && index < count());
  const std::span<const TokenId> tokens = tokens_->tokens();
  const int64_t begin = index * seq_len_;
  const int64_t end = std::min(begin + seq_len_, tokens_->token_count());
  Sequence sequence;
  sequence.input_ids.assign(tokens.begin() + begin, tokens.begin() + end);
  sequence.target_ids.assign(tokens.begin() + begin + 1,
                             tokens.begin() + std::min(end + 1, tokens_->token_count()));
  sequence.target_ids.resize(sequence.input_ids.size(), kNoTarget);
  if (packing_ == Packing::kDocuments) {
    add_document_pieces(begin, end, sequence);
  } else {
    sequence.pieces = {end - begin};
  }
  if (const int64_t missing = begin + seq_len_ - end; missing > 0) {
    sequence.input_ids.insert(sequence.input_ids.end(), static_cast<size_t>(missing), padding_);
    sequence.target_ids.insert(sequence.target_ids.end(), static_cast<size_t>(missing), kNoTarget);
    sequence.pieces.push_back(missing);
  }
  sequence.target_count = seq_len_ - std::ranges::count(sequence.target_ids, kNoTarget);
  return sequence;
}

void PackedSequences::add_document_pieces(int64_t begin, int64_t end, Sequence& sequence) const {
  const std::span<const int64_t> ends = tokens_->document_ends();
  int64_t piece_begin = begin;
  for (int64_t document = tokens_->document_at(begin); piece_begin < end; ++document) {
    const int64_t document_end = ends[static_cast<size_t>(document)];
    const int64_t piece_end = std::min(document_end, end);
    sequence.pieces.push_back(piece_end - piece_begin);
    if (piece_end == document_end) {  // what follows is another document's first token
      sequence.target_ids[static_cast<size_t>(piece_end - 1 - begin)] = kNoTarget;
    }
    piece_begin = piece_end;
  }
}

std::pair<int64_t, int64_t> PackedSequences::documents(int64_t index) const {
  const int64_t begin = index * seq_len_;
  const int64_t end = std::min(begin + seq_len_, tokens_->token_count());
  return {tokens_->document_at(begin), tokens_->document_at(end - 1)};
}

}  // namespace slayer
