#pragma once

#include <ATen/core/Tensor.h>

#include "slayer/model/causal_lm.h"

namespace slayer {

/// How badly each token was predicted, without a graph. The logits never exist all at once: at a
/// vocabulary of 49,152 those of 512 tokens would be 100 MB.
/// @param hidden_states [tokens, hidden] after the final norm.
/// @param targets       [tokens] int64, the token that came next.
/// @return -log p(target), [tokens] float32, in nats.
at::Tensor token_losses(const CausalLM& model,
                        const at::Tensor& hidden_states,
                        const at::Tensor& targets);

/// The losses of a batch's tokens but the first of each row.
/// @param input_ids [batch, seq]. @return [batch, seq - 1] float32, in nats.
at::Tensor next_token_losses(const CausalLM& model, const at::Tensor& input_ids);

}  // namespace slayer
