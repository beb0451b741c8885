#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "slayer/eval/scoring.h"

namespace slayer {

/// The logits of a batch that somebody wants: each distinct position once, and what is read there.
struct WantedLogits {
  struct Entry {
    int64_t position;  ///< Index into `positions`.
    int64_t token;     ///< Whose probability is wanted.
    size_t slot;       ///< Whose score it adds to.
  };
  std::vector<int64_t> positions;  ///< Rows of the batch's hidden states, ascending.
  std::vector<Entry> entries;      ///< Ascending by position.

  /// `position` must not lie below that of the entry before.
  void add(int64_t position, int64_t token, size_t slot);
};

/// Adds the wanted log-probabilities to the scores of their slots.
/// @param hidden     [tokens, hidden], after the last layer, before the final norm.
/// @param logit_rows positions whose [rows, vocab] float32 logits exist at a time.
void score_wanted(const CausalLM& model,
                  const at::Tensor& hidden,
                  const WantedLogits& wanted,
                  int64_t logit_rows,
                  std::span<SequenceScore> scores);

}  // namespace slayer
