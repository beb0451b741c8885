#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "slayer/core/json.h"
#include "slayer/data/documents.h"
#include "slayer/eval/item.h"
#include "slayer/eval/scoring.h"
#include "slayer/eval/task.h"
#include "slayer/tokenizer/tokenizer.h"

namespace slayer {

/// One number that a variant gets.
struct Measure {
  std::string name;  ///< "loss", "acc", "loglikelihood".
  bool higher_is_better;
};

/// What variants are scored on: groups of sequences, each belonging to a unit (a document, a window
/// of the only document, an item) over which intervals are drawn.
struct ProbeSet {
  std::string name = {};  ///< "text", "domain", "arc_easy".
  Json description = {};  ///< What it is, for probe.json.
  std::vector<SequenceGroup> groups = {};
  std::vector<size_t> unit_of_group = {};
  size_t units = 0;
  std::vector<Measure> measures = {};
  size_t deciding_measure = 0;       ///< The finest one, on which a race is decided.
  std::vector<double> weights = {};  ///< Of each group: its scored tokens, or 1 for an item.
  /// One group's part of each measure's sum.
  std::function<std::vector<double>(size_t group, std::span<const SequenceScore>)> values = {};
};

struct TextSetOptions {
  int64_t seq_len = 512;
  int64_t windows = 32;  ///< Most windows, spread over the text; 0: all.
  uint64_t seed = 1234;
};

/// Text in windows of `seq_len` tokens, disjoint within a document, of which all tokens but the
/// first are scored: as eval's perplexity does it. Full windows are preferred; their order is
/// shuffled, so that any first part is a sample of all.
/// @param files  where the documents come from, for errors and the description.
/// @throws Error when the text is shorter than one sequence, or seq_len beyond the model's
/// positions.
ProbeSet text_set(const std::string& name,
                  const std::vector<std::string>& files,
                  const std::vector<std::vector<TokenId>>& documents,
                  const TextSetOptions& options,
                  int64_t max_position_embeddings);

/// A multiple-choice or loglikelihood task: accuracy and loglikelihood of the right answer.
/// @throws Error for tasks of other kinds, and data that are missing or wrong.
ProbeSet task_set(const Task& task,
                  const std::filesystem::path& data_dir,
                  const ItemOptions& options,
                  const Tokenizer& tokenizer,
                  int64_t max_position_embeddings);

}  // namespace slayer
