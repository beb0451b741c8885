#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "slayer/checkpoint/checkpoint.h"
#include "slayer/model/causal_lm.h"
#include "slayer/model/sampler.h"

namespace slayer {

struct GenerationOptions {
  int64_t max_new_tokens = 128;
  SamplingOptions sampling = {};
  /// Which of the seed's streams of random numbers each prompt draws from; empty: its number.
  std::vector<uint64_t> streams = {};
  std::vector<int64_t> stop_tokens = {};  ///< Any of them ends a sequence; it is not given out.
};

/// Called with each new token as it comes; false ends that prompt's generation after it.
using OnToken = std::function<bool(size_t prompt, int32_t token)>;

/// Goes on with each prompt, all of them in one batch, until a stop token, `max_new_tokens`, the
/// model's context length or `on_token` ends it. Prompts of different lengths are not padded on the
/// left: each token has the position that it has alone.
/// @return the new tokens of each prompt.
/// @throws Error for an empty prompt, one longer than the context, options out of range.
std::vector<std::vector<int32_t>> generate(const CausalLM& model,
                                           const std::vector<std::vector<int32_t>>& prompts,
                                           const GenerationOptions& options,
                                           const OnToken& on_token = {});

/// The tokens that end a text: those of generation_config.json, else of config.json.
std::vector<int64_t> stop_tokens(const Checkpoint& checkpoint);

}  // namespace slayer
