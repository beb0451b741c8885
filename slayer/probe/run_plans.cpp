#include "slayer/probe/run_plans.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "slayer/model/apply_plan.h"
#include "slayer/model/kv_cache.h"

namespace slayer {
namespace {

/// Hidden states of a chunk on their way through the layers.
struct ChunkState {
  at::Tensor prefix;                ///< [1, prefix, hidden], or undefined.
  std::vector<at::Tensor> batches;  ///< [rows, columns, hidden]
};

class Walk final {
 public:
  Walk(const CausalLM& base,
       const PlanTrie& trie,
       const PackedChunk& chunk,
       const RunPlansOptions& options,
       const OnPlanScored& on_scored)
      : base_(base), trie_(trie), chunk_(chunk), options_(options), on_scored_(on_scored) {
    begin_prefix();
    for (const PackedBatch& batch : chunk.batches) {
      passes_.push_back(begin_pass(base, batch.input_ids, batch.layout, prefix_cache()));
      if (prefix_cache_) {
        prefix_cache_->truncate(std::ssize(chunk.prefix));
      }
    }
  }

  void run() {
    ChunkState state;
    if (prefix_cache_) {
      state.prefix = embed(base_, prefix_ids_);
    }
    for (const PackedBatch& batch : chunk_.batches) {
      state.batches.push_back(embed(base_, batch.input_ids));
    }
    visit(0, std::move(state));
  }

 private:
  /// One layer's keys and values of the prefix, with room behind them for those of a batch.
  void begin_prefix() {
    if (chunk_.prefix.empty()) {
      return;
    }
    const auto longest = std::ranges::max(chunk_.batches, {}, [](const PackedBatch& batch) {
                           return batch.input_ids.size(1);
                         }).input_ids.size(1);
    ModelConfig one_layer = base_.config;
    one_layer.num_hidden_layers = 1;
    prefix_cache_.emplace(one_layer,
                          /*batch=*/1,
                          std::ssize(chunk_.prefix) + longest,
                          base_.dtype(),
                          base_.device());
    prefix_ids_ = at::tensor(chunk_.prefix, at::kLong).unsqueeze(0).to(base_.device());
    prefix_pass_ = begin_pass(base_, prefix_ids_, {}, prefix_cache());
  }

  KvCache* prefix_cache() { return prefix_cache_ ? &*prefix_cache_ : nullptr; }

  void visit(size_t node, ChunkState state) {
    for (const size_t plan : trie_.nodes[node].plans) {
      score(plan, state);
    }
    const std::vector<size_t>& children = trie_.nodes[node].children;
    for (const size_t child : children) {
      ChunkState next = through(trie_.nodes[child].layer, state);
      if (child == children.back()) {
        state = {};  // Nobody needs it any more.
      }
      visit(child, std::move(next));
    }
  }

  ChunkState through(const PlannedLayer& planned, const ChunkState& state) {
    const DecoderLayer layer = planned_layer(base_, planned);
    ChunkState next;
    if (prefix_cache_) {
      next.prefix = forward_layer(layer, base_.config, state.prefix, prefix_pass_, prefix_cache());
    }
    for (size_t i = 0; i < state.batches.size(); ++i) {
      next.batches.push_back(
          forward_layer(layer, base_.config, state.batches[i], passes_[i], prefix_cache()));
    }
    if (options_.on_layer) {
      options_.on_layer();
    }
    return next;
  }

  void score(size_t plan, const ChunkState& state) {
    std::vector<SequenceScore> scores(chunk_.slots(), {.is_greedy = true});
    for (size_t i = 0; i < state.batches.size(); ++i) {
      score_wanted(base_,
                   state.batches[i].flatten(0, 1),
                   chunk_.batches[i].wanted,
                   options_.logit_rows,
                   scores);
    }
    on_scored_(plan, scores);
  }

  const CausalLM& base_;
  const PlanTrie& trie_;
  const PackedChunk& chunk_;
  const RunPlansOptions& options_;
  const OnPlanScored& on_scored_;
  at::Tensor prefix_ids_;  ///< [1, prefix]
  std::optional<KvCache> prefix_cache_;
  ForwardPass prefix_pass_;
  std::vector<ForwardPass> passes_;  ///< One a batch.
};

}  // namespace

void run_plans(const CausalLM& base,
               const PlanTrie& trie,
               const PackedChunk& chunk,
               const RunPlansOptions& options,
               const OnPlanScored& on_scored) {
  const c10::InferenceMode inference;
  Walk(base, trie, chunk, options, on_scored).run();
}

}  // namespace slayer
