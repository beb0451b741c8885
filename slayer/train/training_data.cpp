#include "slayer/train/training_data.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <set>
#include <utility>

namespace slayer {
namespace {

std::vector<PackedSequences> pack(const std::vector<TrainSource>& sources,
                                  const SequenceOptions& options) {
  std::vector<PackedSequences> sequences;
  for (const TrainSource& source : sources) {
    sequences.emplace_back(source.corpus.tokens, options.seq_len, options.packing, options.padding);
  }
  return sequences;
}

MixtureOrder order_of(const std::vector<TrainSource>& sources,
                      const std::vector<PackedSequences>& sequences,
                      uint64_t seed) {
  std::vector<int64_t> counts;
  std::vector<double> shares;
  for (size_t i = 0; i < sources.size(); ++i) {
    counts.push_back(sequences[i].count());
    shares.push_back(sources[i].share);
  }
  return {counts, shares, seed};
}

}  // namespace

TrainingData::TrainingData(const std::vector<TrainSource>& sources, const SequenceOptions& options)
    : sources_(sources),
      sequences_(pack(sources, options)),
      order_(order_of(sources, sequences_, options.seed)) {}

Sequence TrainingData::at(int64_t draw) const {
  const Draw drawn = order_.at(draw);
  return sequences_[drawn.source].at(drawn.index);
}

int64_t TrainingData::cut_documents() const {
  int64_t count = 0;
  for (const PackedSequences& sequences : sequences_) {
    count += sequences.cut_documents();
  }
  return count;
}

std::string TrainingData::document_names(std::span<const int64_t> draws, size_t limit) const {
  std::set<std::pair<size_t, int64_t>> documents;
  for (const int64_t draw : draws) {
    const Draw drawn = order_.at(draw);
    const auto [first, last] = sequences_[drawn.source].documents(drawn.index);
    for (int64_t document = first; document <= last; ++document) {
      documents.emplace(drawn.source, document);
    }
  }
  std::vector<std::string> names;
  for (const auto& [source, document] : documents) {
    if (names.size() == limit) {
      names.push_back(fmt::format("{} more", documents.size() - limit));
      break;
    }
    names.push_back(sources_[source].corpus.document_name(document));
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace slayer
