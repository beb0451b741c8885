#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "slayer/core/json.h"
#include "slayer/data/documents.h"
#include "slayer/model/causal_lm.h"
#include "slayer/tokenizer/tokenizer.h"

namespace slayer {

/// Held-out text whose perplexity is watched while training.
struct WatchedText {
  std::vector<std::vector<TokenId>> documents = {};

  /// Names the text and the tokenizer.
  std::string key() const;
};

/// What a training watches; either may be empty.
struct WatchedTexts {
  WatchedText domain;   ///< Whose knowledge is wanted.
  WatchedText general;  ///< What must not be forgotten.

  bool is_empty() const { return domain.documents.empty() && general.documents.empty(); }
};

/// Losses of one look at the watched texts, nats per token.
struct WatchedLosses {
  std::optional<double> domain = {};
  std::optional<double> general = {};

  /// What the best checkpoint has the least of: the domain's, without one the general text's.
  double wanted() const { return domain ? *domain : general.value_or(0.0); }
};

/// Windows of `seq_len` tokens, disjoint.
WatchedLosses measure(const CausalLM& model, const WatchedTexts& texts, int64_t seq_len);

/// What the looks so far came to; a part of a training's state.
struct WatchRecord {
  std::optional<WatchedLosses> base = {};  ///< Before the first step.
  int64_t best_step = 0;                   ///< 0: no checkpoint was good enough yet.
  double best_loss = 0.0;                  ///< WatchedLosses::wanted of that step.
  bool has_stopped = false;                ///< Too much was forgotten: no more steps.

  /// By how much the general text's perplexity has grown: 0.05 for 5 %.
  double forgetting(const WatchedLosses& losses) const;

  /// Takes in the losses after `step`, which becomes the best one when it is; sets `has_stopped`
  /// when more than `limit` is forgotten.
  void add(int64_t step, const WatchedLosses& losses, std::optional<double> limit);
};

Json to_json(const WatchRecord& record);
WatchRecord watch_record_from_json(const JsonObject& json);

}  // namespace slayer
