#include "slayer/model/decoder_layer.h"

#include <ATen/ATen.h>

#include <cassert>

#include "slayer/model/linear.h"

namespace slayer {
namespace {

/// [batch, seq, heads * head_dim] -> [batch, heads, seq, head_dim]
at::Tensor split_heads(const at::Tensor& x, int64_t head_dim) {
  return x.unflatten(-1, {-1, head_dim}).transpose(1, 2);
}

/// @param query [batch, heads, seq, head_dim]; `key` and `value` [batch, kv_heads, keys, head_dim].
/// @return as `query`.
at::Tensor attend(const at::Tensor& query,
                  const at::Tensor& key,
                  const at::Tensor& value,
                  const AttentionMask& mask) {
  if (query.is_meta()) {  // Its shape-only form leans on kernels that exist in Python alone.
    return at::empty_like(query);
  }
  return at::scaled_dot_product_attention(
      query,
      key,
      value,
      mask.bias.defined() ? std::optional(mask.bias) : std::nullopt,
      /*dropout_p=*/0.0,
      mask.is_causal,
      /*scale=*/std::nullopt,
      /*enable_gqa=*/query.size(1) != key.size(1));
}

at::Tensor attention(const DecoderLayer& layer,
                     const ModelConfig& config,
                     const at::Tensor& x,
                     const ForwardPass& pass,
                     KvCache* cache,
                     int64_t cache_layer) {
  at::Tensor query = split_heads(apply_linear(x, layer.q_proj, layer.q_bias), config.head_dim);
  at::Tensor key = split_heads(apply_linear(x, layer.k_proj, layer.k_bias), config.head_dim);
  at::Tensor value = split_heads(apply_linear(x, layer.v_proj, layer.v_bias), config.head_dim);
  if (layer.q_norm.defined()) {
    query = rms_norm(query, layer.q_norm, config.rms_norm_eps);
    key = rms_norm(key, layer.k_norm, config.rms_norm_eps);
  }
  query = apply_rotary(query, pass.rotary);
  key = apply_rotary(key, pass.rotary);
  if (cache != nullptr) {
    std::tie(key, value) = cache->store(cache_layer, pass.past, key, value);
  }
  const at::Tensor mixed = attend(query, key, value, pass.masks.of(layer.sliding_window));
  return apply_linear(mixed.transpose(1, 2).flatten(-2), layer.o_proj, layer.o_bias);
}

at::Tensor mlp(const DecoderLayer& layer, const at::Tensor& x) {
  const at::Tensor gate = apply_linear(x, layer.gate_proj, layer.gate_bias);
  const at::Tensor up = apply_linear(x, layer.up_proj, layer.up_bias);
  return apply_linear(at::silu(gate).mul_(up), layer.down_proj, layer.down_bias);
}

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon) {
  return at::rms_norm(x, weight.sizes(), weight, epsilon);
}

at::Tensor forward_layer(const DecoderLayer& layer,
                         const ModelConfig& config,
                         const at::Tensor& hidden,
                         const ForwardPass& pass,
                         KvCache* cache,
                         int64_t cache_layer) {
  // The residual is added into the projections' fresh output: one buffer less than x + f(x).
  const at::Tensor normed = rms_norm(hidden, layer.input_layernorm, config.rms_norm_eps);
  const at::Tensor mixed = attention(layer, config, normed, pass, cache, cache_layer).add_(hidden);
  return mlp(layer, rms_norm(mixed, layer.post_attention_layernorm, config.rms_norm_eps))
      .add_(mixed);
}

const at::Tensor& tensor_of(const DecoderLayer& layer, TensorRole role) {
  switch (role) {
    case TensorRole::kInputNorm:
      return layer.input_layernorm;
    case TensorRole::kPostAttentionNorm:
      return layer.post_attention_layernorm;
    case TensorRole::kQueryWeight:
      return layer.q_proj;
    case TensorRole::kQueryBias:
      return layer.q_bias;
    case TensorRole::kKeyWeight:
      return layer.k_proj;
    case TensorRole::kKeyBias:
      return layer.k_bias;
    case TensorRole::kValueWeight:
      return layer.v_proj;
    case TensorRole::kValueBias:
      return layer.v_bias;
    case TensorRole::kOutputWeight:
      return layer.o_proj;
    case TensorRole::kOutputBias:
      return layer.o_bias;
    case TensorRole::kQueryNorm:
      return layer.q_norm;
    case TensorRole::kKeyNorm:
      return layer.k_norm;
    case TensorRole::kGateWeight:
      return layer.gate_proj;
    case TensorRole::kGateBias:
      return layer.gate_bias;
    case TensorRole::kUpWeight:
      return layer.up_proj;
    case TensorRole::kUpBias:
      return layer.up_bias;
    case TensorRole::kDownWeight:
      return layer.down_proj;
    case TensorRole::kDownBias:
      return layer.down_bias;
    case TensorRole::kEmbedding:
    case TensorRole::kFinalNorm:
    case TensorRole::kHead:
      break;
  }
  assert(!"a role outside the layers");
  return layer.q_proj;
}

at::Tensor& tensor_of(DecoderLayer& layer, TensorRole role) {
  return const_cast<at::Tensor&>(tensor_of(std::as_const(layer), role));
}

}  // namespace slayer
