#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "slayer/checkpoint/checkpoint.h"
#include "slayer/checkpoint/config.h"
#include "slayer/surgery/plan.h"

namespace slayer {

/// The weights of one decoder layer under Hugging Face's names. Undefined tensors: not in this
/// family. Copies share storage, so plans share layers.
struct DecoderLayer {
  at::Tensor input_layernorm, post_attention_layernorm;  ///< [hidden]
  at::Tensor q_proj, k_proj, v_proj, o_proj;             ///< [out, in]
  at::Tensor q_bias, k_bias, v_bias, o_bias;
  at::Tensor q_norm, k_norm;                 ///< [head_dim]
  at::Tensor gate_proj, up_proj, down_proj;  ///< [out, in]
  at::Tensor gate_bias, up_bias, down_bias;
};

/// A causal language model: plain tensors and a config.
struct CausalLM {
  ModelConfig config;
  at::Tensor embed_tokens;  ///< [vocab, hidden]
  std::vector<DecoderLayer> layers;
  at::Tensor norm;     ///< [hidden]
  at::Tensor lm_head;  ///< [vocab, hidden]; the same storage as embed_tokens when tied.
};

/// Loads all weights as `dtype` on `device`.
/// @throws Error listing everything missing or wrong-shaped.
CausalLM load_causal_lm(const Checkpoint& checkpoint, at::ScalarType dtype, at::Device device);

/// The model that `plan` makes of `base`, without writing anything: plain copies share the base's
/// tensors, other layers are computed (float32, rounded to the base's dtype).
CausalLM apply_plan(const CausalLM& base, const Plan& plan);

/// Positions and mask of a batch whose rows are packed documents. Undefined tensors: each row is
/// one sequence, causal.
struct BatchLayout {
  at::Tensor position_ids;  ///< [batch, seq] int64
  at::Tensor mask;          ///< [batch, 1, seq, seq] bool, true where attended
};

/// Keys and values of the tokens seen so far, one pair a layer; for generation and shared prefixes.
class KvCache;

/// @param input_ids [batch, seq] int64.
/// @return hidden states after the final norm, [batch, seq, hidden], in the model's dtype.
at::Tensor forward_hidden(const CausalLM& model,
                          const at::Tensor& input_ids,
                          const BatchLayout& layout = {},
                          KvCache* cache = nullptr);

/// @param hidden_states [..., hidden]. @return logits [..., vocab] in the model's dtype.
at::Tensor logits(const CausalLM& model, const at::Tensor& hidden_states);

}  // namespace slayer
