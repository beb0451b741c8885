#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "slayer/eval/scoring.h"
#include "slayer/model/causal_lm.h"
#include "slayer/probe/packed_chunk.h"
#include "slayer/probe/plan_trie.h"

namespace slayer {

struct RunPlansOptions {
  int64_t logit_rows = 256;  ///< Positions whose [rows, vocab] float32 logits exist at a time.
  std::function<void()> on_layer = {};  ///< Called after each layer; what it throws ends the run.
};

/// Called with a plan's index and the scores of the chunk's slots.
using OnPlanScored = std::function<void(size_t plan, const std::vector<SequenceScore>& scores)>;

/// Scores one chunk under all plans of `trie`, depth first: each node's layer is evaluated once,
/// the head once a plan. Alive at a time are the hidden states of one path and the weights of one
/// computed layer.
void run_plans(const CausalLM& base,
               const PlanTrie& trie,
               const PackedChunk& chunk,
               const RunPlansOptions& options,
               const OnPlanScored& on_scored);

}  // namespace slayer
