#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "slayer/data/corpus.h"
#include "slayer/data/mixture.h"
#include "slayer/data/packing.h"

namespace slayer {

/// Text that is trained on, as tokens, and its share of the sequences drawn.
struct TrainSource {
  Corpus corpus;
  double share = 1.0;
};

/// How sequences are cut from the text, and in which order they are drawn.
struct SequenceOptions {
  int64_t seq_len = 0;
  Packing packing = Packing::kDocuments;
  TokenId padding = 0;
  uint64_t seed = 0;
};

/// The sequences of a training, by the number of their draw.
class TrainingData final {
 public:
  /// `sources`, at least one, must outlive this.
  TrainingData(const std::vector<TrainSource>& sources, const SequenceOptions& options);

  Sequence at(int64_t draw) const;

  /// Draws in which the first source gives each of its sequences once.
  int64_t draws_per_epoch() const { return order_.draws_per_epoch(); }

  /// Documents whose end no sequence holds, see Packing::kWhole.
  int64_t cut_documents() const;

  /// The documents in these draws, "laws.jsonl:17", at most `limit` of them and how many more.
  std::string document_names(std::span<const int64_t> draws, size_t limit) const;

 private:
  const std::vector<TrainSource>& sources_;
  std::vector<PackedSequences> sequences_;  ///< Of each source.
  MixtureOrder order_;
};

}  // namespace slayer
