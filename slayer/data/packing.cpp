#include "slayer/data/packing.h"

#include <algorithm>
#include <cassert>
#include <string>

#include "slayer/core/error.h"

namespace slayer {

Packing packing_from_name(std::string_view name) {
  for (const Packing packing : {Packing::kDocuments, Packing::kWhole, Packing::kStream}) {
    if (name == name_of(packing)) {
      return packing;
    }
  }
  throw Error({.item = "packing",
               .found = "\"" + printable(name) + "\"",
               .expected = "documents, whole or stream"});
}

std::string_view name_of(Packing packing) {
  switch (packing) {
    case Packing::kWhole:
      return "whole";
    case Packing::kStream:
      return "stream";
    case Packing::kDocuments:
      break;
  }
  return "documents";
}

PackedSequences::PackedSequences(const TokenStore& tokens,
                                 int64_t seq_len,
                                 Packing packing,
                                 TokenId padding)
    : tokens_(&tokens), seq_len_(seq_len), packing_(packing), padding_(padding) {
  assert(seq_len >= 1);
  if (packing == Packing::kWhole) {
    place_whole_documents();
  }
}

void PackedSequences::place_whole_documents() {
  int64_t used = seq_len_;
  const int64_t documents = tokens_->document_count();
  for (int64_t document = 0; document < documents; ++document) {
    const int64_t length =
        tokens_->document_ends()[static_cast<size_t>(document)] - document_begin(document);
    cut_documents_ += length > seq_len_ ? 1 : 0;
    if (used + length > seq_len_) {
      first_documents_.push_back(document);
      used = 0;
    }
    used += length;
  }
  first_documents_.push_back(documents);
}

int64_t PackedSequences::count() const {
  return packing_ == Packing::kWhole ? std::ssize(first_documents_) - 1
                                     : (tokens_->token_count() + seq_len_ - 1) / seq_len_;
}

int64_t PackedSequences::document_begin(int64_t document) const {
  return document == 0 ? 0 : tokens_->document_ends()[static_cast<size_t>(document - 1)];
}

Sequence PackedSequences::at(int64_t index) const {
  assert(index >= 0 && index < count());
  Sequence sequence;
  sequence.input_ids.reserve(static_cast<size_t>(seq_len_));
  sequence.target_ids.reserve(static_cast<size_t>(seq_len_));
  if (packing_ == Packing::kWhole) {
    add_whole_documents(index, sequence);
  } else {
    const int64_t begin = index * seq_len_;
    add_pieces(begin, std::min(begin + seq_len_, tokens_->token_count()), sequence);
  }
  if (const int64_t missing = seq_len_ - std::ssize(sequence.input_ids); missing > 0) {
    sequence.input_ids.insert(sequence.input_ids.end(), static_cast<size_t>(missing), padding_);
    sequence.target_ids.insert(sequence.target_ids.end(), static_cast<size_t>(missing), kNoTarget);
    sequence.pieces.push_back(missing);
  }
  sequence.target_count = seq_len_ - std::ranges::count(sequence.target_ids, kNoTarget);
  return sequence;
}

void PackedSequences::add_piece(int64_t begin,
                                int64_t end,
                                bool ends_document,
                                Sequence& sequence) const {
  const std::span<const TokenId> tokens = tokens_->tokens();
  std::vector<int64_t> targets(tokens.begin() + begin + 1,
                               tokens.begin() + std::min(end + 1, tokens_->token_count()));
  targets.resize(static_cast<size_t>(end - begin), kNoTarget);
  if (ends_document) {  // what follows is another document's first token
    targets.back() = kNoTarget;
  }
  leave_out_targets(begin, end, targets);
  sequence.input_ids.insert(sequence.input_ids.end(), tokens.begin() + begin, tokens.begin() + end);
  sequence.target_ids.insert(sequence.target_ids.end(), targets.begin(), targets.end());
  sequence.pieces.push_back(end - begin);
}

void PackedSequences::leave_out_targets(int64_t begin,
                                        int64_t end,
                                        std::span<int64_t> targets) const {
  const auto learnt = tokens_->learnt();
  if (!learnt) {
    return;
  }
  // Target i is token begin + i + 1.
  auto span = std::ranges::upper_bound(*learnt, begin + 1, {}, &TokenSpan::end);
  for (int64_t token = begin + 1; token <= end; ++token) {
    while (span != learnt->end() && span->end <= token) {
      ++span;
    }
    if (span == learnt->end() || token < span->begin) {
      targets[static_cast<size_t>(token - begin - 1)] = kNoTarget;
    }
  }
}

void PackedSequences::add_pieces(int64_t begin, int64_t end, Sequence& sequence) const {
  if (packing_ == Packing::kStream) {
    add_piece(begin, end, /*ends_document=*/false, sequence);
    return;
  }
  const std::span<const int64_t> ends = tokens_->document_ends();
  for (int64_t document = tokens_->document_at(begin); begin < end; ++document) {
    const int64_t document_end = ends[static_cast<size_t>(document)];
    const int64_t piece_end = std::min(document_end, end);
    add_piece(begin, piece_end, piece_end == document_end, sequence);
    begin = piece_end;
  }
}

void PackedSequences::add_whole_documents(int64_t index, Sequence& sequence) const {
  const auto [first, last] = documents(index);
  for (int64_t document = first; document <= last; ++document) {
    const int64_t begin = document_begin(document);
    const int64_t document_end = tokens_->document_ends()[static_cast<size_t>(document)];
    const int64_t end = std::min(document_end, begin + seq_len_);
    add_piece(begin, end, end == document_end, sequence);
  }
}

std::pair<int64_t, int64_t> PackedSequences::documents(int64_t index) const {
  if (packing_ == Packing::kWhole) {
    const auto at = static_cast<size_t>(index);
    return {first_documents_[at], first_documents_[at + 1] - 1};
  }
  const int64_t begin = index * seq_len_;
  const int64_t end = std::min(begin + seq_len_, tokens_->token_count());
  return {tokens_->document_at(begin), tokens_->document_at(end - 1)};
}

}  // namespace slayer
