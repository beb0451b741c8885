#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "slayer/checkpoint/config.h"

namespace slayer {

/// What a tensor of a decoder is, whatever its name in the file.
enum class TensorRole : uint8_t {
  kEmbedding,          ///< [vocab, hidden]
  kFinalNorm,          ///< [hidden]
  kHead,               ///< [vocab, hidden]; absent where embeddings are tied.
  kInputNorm,          ///< [hidden]
  kPostAttentionNorm,  ///< [hidden]
  kQueryWeight,        ///< [heads * head_dim, hidden]
  kQueryBias,
  kKeyWeight,  ///< [kv_heads * head_dim, hidden]
  kKeyBias,
  kValueWeight,
  kValueBias,
  kOutputWeight,  ///< o_proj [hidden, heads * head_dim]
  kOutputBias,
  kQueryNorm,   ///< [head_dim]
  kKeyNorm,     ///< [head_dim]
  kGateWeight,  ///< [intermediate, hidden]
  kGateBias,
  kUpWeight,
  kUpBias,
  kDownWeight,  ///< [hidden, intermediate]
  kDownBias
};

/// One tensor that a config demands.
struct ExpectedTensor {
  TensorRole role;
  int64_t layer = -1;  ///< -1 outside the layers.
  std::string name;    ///< Hugging Face's name, e.g. "model.layers.3.self_attn.q_proj.weight".
  std::vector<int64_t> shape;
};

/// Every tensor of a model with this config, embedding first, layers in order, head last: the one
/// table that loading, checking, surgery and GGUF conversion share.
std::vector<ExpectedTensor> expected_tensors(const ModelConfig& config);

/// Name of one tensor of one layer.
std::string tensor_name(TensorRole role, int64_t layer = -1);

/// o_proj and down_proj and their biases: zero in a block that starts as the identity.
bool is_zeroed_by_zero_output(TensorRole role);

/// Parameters of one layer, and of the whole model (a tied head counts once).
int64_t parameters_per_layer(const ModelConfig& config);
int64_t parameter_count(const ModelConfig& config);

/// "LlamaForCausalLM, MistralForCausalLM, ...": for error messages and help.
std::string supported_architectures();

}  // namespace slayer
