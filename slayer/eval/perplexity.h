#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "slayer/core/json.h"
#include "slayer/core/progress.h"
#include "slayer/data/documents.h"
#include "slayer/eval/scoring.h"
#include "slayer/eval/statistics.h"
#include "slayer/model/causal_lm.h"
#include "slayer/tokenizer/tokenizer.h"

namespace slayer {

struct PerplexityOptions {
  int64_t seq_len = 1024;  ///< Tokens of a window; windows of a document do not overlap.
  std::stop_token stop = {};
  ScoringOptions scoring;
  BootstrapOptions bootstrap;
};

/// What one document cost.
struct DocumentLoss {
  double loss = 0.0;   ///< Sum over its scored tokens, in nats.
  int64_t tokens = 0;  ///< Scored tokens: all but the first of each window.
};

struct PerplexityResult {
  double loss = 0.0;  ///< Nats per token over all documents.
  double perplexity = 0.0;
  int64_t tokens = 0;
  std::optional<Interval> loss_interval;  ///< Over documents; empty for fewer than two.
  std::vector<DocumentLoss> documents;    ///< In the order given.
};

/// Every text as tokens, with BOS as the tokenizer adds it.
std::vector<std::vector<TokenId>> encode_documents(const Tokenizer& tokenizer,
                                                   const std::vector<Document>& documents);

/// Loss of `model` on documents that are already tokens. `progress` counts scored tokens; see
/// `count_scored_tokens`.
/// @throws Error when no document has two tokens, and for seq_len beyond the model's positions;
/// Interrupted when asked to stop.
PerplexityResult measure_perplexity(const CausalLM& model,
                                    const std::vector<std::vector<TokenId>>& documents,
                                    const PerplexityOptions& options,
                                    Progress& progress);

/// How many tokens `measure_perplexity` scores.
int64_t count_scored_tokens(const std::vector<std::vector<TokenId>>& documents, int64_t seq_len);

/// e^loss; of a model that has diverged beyond that, the largest number there is.
double perplexity_of(double loss);

/// Two models on the same documents.
struct PerplexityChange {
  double loss_difference = 0.0;                 ///< New minus base, nats per token.
  double perplexity_ratio = 1.0;                ///< New over base: exp(loss_difference).
  std::optional<Interval> difference_interval;  ///< Paired bootstrap over documents.
  std::optional<Interval> ratio_interval;
};

/// @throws Error when the two results do not come from the same documents and tokens.
PerplexityChange compare_perplexity(const PerplexityResult& base,
                                    const PerplexityResult& changed,
                                    const BootstrapOptions& options);

/// {"loss", "perplexity", "tokens", "loss_low", "loss_high", "documents": [{"loss", "tokens"}]}.
Json perplexity_to_json(const PerplexityResult& result);
PerplexityResult perplexity_from_json(const Json& json, const std::string& file);

}  // namespace slayer
