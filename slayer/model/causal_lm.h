#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "slayer/checkpoint/config.h"
#include "slayer/checkpoint/family.h"
#include "slayer/model/attention_mask.h"
#include "slayer/model/decoder_layer.h"
#include "slayer/model/int8_linear.h"
#include "slayer/model/kv_cache.h"

namespace slayer {

/// A causal language model: plain tensors and a config. Copies share the tensors.
struct CausalLM {
  ModelConfig config;
  at::Tensor embed_tokens;  ///< [vocab, hidden]
  std::vector<DecoderLayer> layers;
  at::Tensor norm;          ///< [hidden]
  at::Tensor lm_head;       ///< [vocab, hidden]; the same tensor as embed_tokens when tied.
  Int8Matrix int8_lm_head;  ///< Undefined tensors, or the head for a training's logits.

  at::ScalarType dtype() const { return embed_tokens.scalar_type(); }
  at::Device device() const { return embed_tokens.device(); }
};

/// The model's tensor that `expected_tensors` lists so.
at::Tensor& tensor_of(CausalLM& model, const ExpectedTensor& expected);
const at::Tensor& tensor_of(const CausalLM& model, const ExpectedTensor& expected);

/// @param input_ids [batch, seq] int64, on the model's device.
/// @return hidden states after the final norm, [batch, seq, hidden], in the model's dtype.
at::Tensor forward_hidden(const CausalLM& model,
                          const at::Tensor& input_ids,
                          const BatchLayout& layout = {},
                          KvCache* cache = nullptr);

/// @param hidden_states after the final norm, [..., hidden]. The head costs as much as several
/// layers: pass only the tokens whose prediction is wanted.
/// @return logits [..., vocab] in the model's dtype.
at::Tensor logits(const CausalLM& model, const at::Tensor& hidden_states);

/// The steps of forward_hidden, for who runs a part of the layers, watches between them, or wants
/// the lower ones without an autograd graph:
///
///     const ForwardPass pass = begin_pass(model, input_ids, layout);
///     at::Tensor hidden = embed(model, input_ids);
///     hidden = run_layers(model, hidden, 0, model.config.num_hidden_layers, pass);
///     hidden = final_norm(model, hidden);
///
/// With a cache, begin_pass makes room in it for these tokens; each layer then fills its own.
ForwardPass begin_pass(const CausalLM& model,
                       const at::Tensor& input_ids,
                       const BatchLayout& layout = {},
                       KvCache* cache = nullptr);
at::Tensor embed(const CausalLM& model, const at::Tensor& input_ids);
/// Layers [first, last). `hidden` is not written to.
at::Tensor run_layers(const CausalLM& model,
                      at::Tensor hidden,
                      int64_t first,
                      int64_t last,
                      const ForwardPass& pass,
                      KvCache* cache = nullptr);
at::Tensor final_norm(const CausalLM& model, const at::Tensor& hidden);

}  // namespace slayer
