#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <map>
#include <optional>

#include "slayer/checkpoint/config.h"
#include "slayer/checkpoint/family.h"
#include "slayer/model/attention_mask.h"
#include "slayer/model/int8_linear.h"
#include "slayer/model/kv_cache.h"
#include "slayer/model/low_rank_adapter.h"
#include "slayer/model/rotary.h"

namespace slayer {

/// The weights of one decoder layer under Hugging Face's names. Undefined tensors: not in this
/// family. Copies share storage, so plans share layers.
struct DecoderLayer {
  at::Tensor input_layernorm, post_attention_layernorm;  ///< [hidden]
  at::Tensor q_proj, k_proj, v_proj, o_proj;             ///< [out, in]
  at::Tensor q_bias, k_bias, v_bias, o_bias;             ///< [out]
  at::Tensor q_norm, k_norm;                             ///< [head_dim]
  at::Tensor gate_proj, up_proj, down_proj;              ///< [out, in]
  at::Tensor gate_bias, up_bias, down_bias;              ///< [out]
  std::optional<int64_t> sliding_window;                 ///< Attended tokens, itself included.
  /// Of linear layers, by the role of their weight. Empty unless LoRA trains.
  std::map<TensorRole, LowRankAdapter> adapters;
  /// Of frozen linear layers, by the role of their weight, which they stand in for in float32 on
  /// the CPU. Empty unless a training asks for it.
  std::map<TensorRole, Int8Weight> int8_weights;
};

/// The roles of a layer's tensors, in the order of `expected_tensors`.
inline constexpr std::array kLayerRoles{TensorRole::kInputNorm,
                                        TensorRole::kPostAttentionNorm,
                                        TensorRole::kQueryWeight,
                                        TensorRole::kQueryBias,
                                        TensorRole::kKeyWeight,
                                        TensorRole::kKeyBias,
                                        TensorRole::kValueWeight,
                                        TensorRole::kValueBias,
                                        TensorRole::kOutputWeight,
                                        TensorRole::kOutputBias,
                                        TensorRole::kQueryNorm,
                                        TensorRole::kKeyNorm,
                                        TensorRole::kGateWeight,
                                        TensorRole::kGateBias,
                                        TensorRole::kUpWeight,
                                        TensorRole::kUpBias,
                                        TensorRole::kDownWeight,
                                        TensorRole::kDownBias};

/// The tensor of a layer that has this role. `role` must be one of a layer.
at::Tensor& tensor_of(DecoderLayer& layer, TensorRole role);
const at::Tensor& tensor_of(const DecoderLayer& layer, TensorRole role);

/// What every layer of one forward pass shares.
struct ForwardPass {
  RotaryTable rotary;
  AttentionMasks masks;
  int64_t past = 0;  ///< Tokens that the cache held before.
};

/// One layer: x + attention(norm(x)), then x + mlp(norm(x)).
/// @param hidden [batch, seq, hidden]; it is not written to.
/// @param cache  where given, keys and values go into slot `cache_layer` of it.
at::Tensor forward_layer(const DecoderLayer& layer,
                         const ModelConfig& config,
                         const at::Tensor& hidden,
                         const ForwardPass& pass,
                         KvCache* cache = nullptr,
                         int64_t cache_layer = 0);

}  // namespace slayer
