#include "slayer/model/decoder_layer.h"

#include <ATen/ATen.h>

#include <cassert>

#include "slayer/model/attention.h"
#include "slayer/model/linear.h"
#include "slayer/model/rms_norm.h"
#include "slayer/model/swiglu.h"

namespace slayer {
namespace {

/// x W^T + b, on 8-bit integers where the layer has the weight so.
at::Tensor project_plain(const DecoderLayer& layer,
                         TensorRole role,
                         const at::Tensor& x,
                         const at::Tensor& bias) {
  const auto found = layer.int8_weights.find(role);
  const bool is_int8 = found != layer.int8_weights.end() && x.is_cpu();
  return is_int8 ? apply_int8_linear(x, found->second, bias)
                 : apply_linear(x, tensor_of(layer, role), bias);
}

/// The same, and the adapter's part where the layer has one for it.
at::Tensor project(const DecoderLayer& layer,
                   TensorRole role,
                   const at::Tensor& x,
                   const at::Tensor& bias) {
  at::Tensor output = project_plain(layer, role, x, bias);
  if (const auto found = layer.adapters.find(role); found != layer.adapters.end()) {
    add_adapter(output, x, found->second);
  }
  return output;
}

/// [batch, seq, heads * head_dim] -> [batch, seq, heads, head_dim]
at::Tensor split_heads(const at::Tensor& x, int64_t head_dim) {
  return x.unflatten(-1, {-1, head_dim});
}

at::Tensor attention(const DecoderLayer& layer,
                     const ModelConfig& config,
                     const at::Tensor& x,
                     const ForwardPass& pass,
                     KvCache* cache,
                     int64_t cache_layer) {
  at::Tensor query =
      split_heads(project(layer, TensorRole::kQueryWeight, x, layer.q_bias), config.head_dim);
  at::Tensor key =
      split_heads(project(layer, TensorRole::kKeyWeight, x, layer.k_bias), config.head_dim);
  at::Tensor value =
      split_heads(project(layer, TensorRole::kValueWeight, x, layer.v_bias), config.head_dim);
  if (layer.q_norm.defined()) {
    query = rms_norm(query, layer.q_norm, config.rms_norm_eps);
    key = rms_norm(key, layer.k_norm, config.rms_norm_eps);
  }
  query = apply_rotary(query, pass.rotary).transpose(1, 2);
  key = apply_rotary(key, pass.rotary).transpose(1, 2);
  value = value.transpose(1, 2);
  if (cache != nullptr) {
    std::tie(key, value) = cache->store(cache_layer, pass.past, key, value);
  }
  const at::Tensor mixed = attend(query, key, value, pass.masks.of(layer.sliding_window));
  return project(layer, TensorRole::kOutputWeight, mixed.flatten(-2), layer.o_bias);
}

at::Tensor mlp(const DecoderLayer& layer, const at::Tensor& x) {
  const at::Tensor gate = project(layer, TensorRole::kGateWeight, x, layer.gate_bias);
  const at::Tensor up = project(layer, TensorRole::kUpWeight, x, layer.up_bias);
  return project(layer, TensorRole::kDownWeight, swiglu(gate, up), layer.down_bias);
}

}  // namespace

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
