#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "slayer/model/causal_lm.h"
#include "slayer/tokenizer/tokenizer.h"

namespace slayer {

/// Tokens of which a tail is scored: each of `tokens[first_scored...]` given all before it.
struct ScoredSequence {
  std::vector<TokenId> tokens;
  int64_t first_scored = 1;  ///< At least 1: the first token has nothing to be predicted from.
};

/// Sequences that are scored together, usually one item's context with each of its continuations.
/// The tokens that all of them begin with are computed once.
using SequenceGroup = std::vector<ScoredSequence>;

struct SequenceScore {
  double loglikelihood = 0.0;  ///< Sum over the scored tokens, in nats.
  bool is_greedy = false;      ///< Every scored token is the model's first choice.
};

struct ScoringOptions {
  int64_t batch_size = 32;      ///< Most groups in one forward pass.
  int64_t batch_tokens = 4096;  ///< Most tokens, padding included, in one forward pass.
  int64_t logit_rows = 256;     ///< Positions whose [rows, vocab] float32 logits exist at a time.
};

/// Called with a group's index and its sequences' scores.
using OnGroupScored = std::function<void(size_t, const std::vector<SequenceScore>&)>;

/// Scores all groups, in batches of groups of like length, the longest first. Tokens that all
/// groups begin with (few-shot examples that all items share) are computed once.
/// `on_scored` is called for each group, batch after batch; what it throws ends the scoring.
void score_groups(const CausalLM& model,
                  const std::vector<SequenceGroup>& groups,
                  const ScoringOptions& options,
                  const OnGroupScored& on_scored);

}  // namespace slayer
