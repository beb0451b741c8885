#include "slayer/model/causal_lm.h"

#include <ATen/ATen.h>

#include <fmt/format.h>
#include <utility>

#include "slayer/core/error.h"
#include "slayer/model/linear.h"
#include "slayer/model/rms_norm.h"

namespace slayer {

const at::Tensor& tensor_of(const CausalLM& model, const ExpectedTensor& expected) {
  switch (expected.role) {
    case TensorRole::kEmbedding:
      return model.embed_tokens;
    case TensorRole::kFinalNorm:
      return model.norm;
    case TensorRole::kHead:
      return model.lm_head;
    default:
      return tensor_of(model.layers.at(static_cast<size_t>(expected.layer)), expected.role);
  }
}

at::Tensor& tensor_of(CausalLM& model, const ExpectedTensor& expected) {
  return const_cast<at::Tensor&>(tensor_of(std::as_const(model), expected));
}

ForwardPass begin_pass(const CausalLM& model,
                       const at::Tensor& input_ids,
                       const BatchLayout& layout,
                       KvCache* cache) {
  const int64_t past = cache == nullptr ? 0 : cache->length();
  const int64_t seq = input_ids.size(1);
  const at::Tensor position_ids =
      layout.position_ids.defined()
          ? layout.position_ids
          : at::arange(past, past + seq, input_ids.options().dtype(at::kLong)).unsqueeze(0);
  const at::Tensor key_position_ids = cache == nullptr ? position_ids : cache->extend(position_ids);
  std::vector<std::optional<int64_t>> windows;
  for (const DecoderLayer& layer : model.layers) {
    windows.push_back(layer.sliding_window);
  }
  return {.rotary = rotary_table(model.config, position_ids, model.dtype()),
          .masks = {layout, position_ids, key_position_ids, windows, model.dtype()},
          .past = past};
}

at::Tensor embed(const CausalLM& model, const at::Tensor& input_ids) {
  if (model.embed_tokens.is_meta()) {  // at::embedding has no shape-only kernel in C++.
    return model.embed_tokens.index({input_ids});
  }
  if (input_ids.is_cpu() && input_ids.numel() > 0) {
    const auto largest = input_ids.max().item<int64_t>();
    if (largest >= model.embed_tokens.size(0)) {
      throw Error({.file = "a text's tokens",
                   .found = fmt::format("id {}", largest),
                   .expected = fmt::format("ids below the model's vocab_size, {}",
                                           model.embed_tokens.size(0)),
                   .hint = "the tokenizer has added tokens that the embedding has no row for"});
    }
  }
  return at::embedding(model.embed_tokens, input_ids);
}

at::Tensor run_layers(const CausalLM& model,
                      at::Tensor hidden,
                      int64_t first,
                      int64_t last,
                      const ForwardPass& pass,
                      KvCache* cache) {
  for (int64_t layer = first; layer < last; ++layer) {
    hidden = forward_layer(
        model.layers.at(static_cast<size_t>(layer)), model.config, hidden, pass, cache, layer);
  }
  return hidden;
}

at::Tensor final_norm(const CausalLM& model, const at::Tensor& hidden) {
  return rms_norm(hidden, model.norm, model.config.rms_norm_eps);
}

at::Tensor forward_hidden(const CausalLM& model,
                          const at::Tensor& input_ids,
                          const BatchLayout& layout,
                          KvCache* cache) {
  const ForwardPass pass = begin_pass(model, input_ids, layout, cache);
  const auto layers = static_cast<int64_t>(model.layers.size());
  return final_norm(model, run_layers(model, embed(model, input_ids), 0, layers, pass, cache));
}

at::Tensor logits(const CausalLM& model, const at::Tensor& hidden_states) {
  return apply_linear(hidden_states, model.lm_head);
}

}  // namespace slayer
