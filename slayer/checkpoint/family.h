#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "slayer/checkpoint/config.h"

namespace slayer {

/// Which layers see only a window of the tokens before them.
enum class SlidingWindowRule : uint8_t {
  kNever,
  kEveryLayer,  ///< Mistral: `sliding_window` unless null.
  kDeepLayers   ///< Qwen: with `use_sliding_window`, by `layer_types` or from `max_window_layers`
                ///< on.
};

/// One supported architecture: what it says by being itself, and transformers' defaults for what
/// config.json may leave out.
/// Source: transformers models/{llama,mistral,qwen2,qwen3}/configuration_*.py.
struct Family {
  std::string_view architecture;
  std::string_view model_type;
  bool has_qkv_bias = false;               ///< Always, whatever config.json says.
  bool has_attention_bias_option = false;  ///< `attention_bias`: on q, k, v and o.
  bool has_mlp_bias_option = false;        ///< `mlp_bias`.
  bool has_qk_norm = false;
  SlidingWindowRule sliding_window = SlidingWindowRule::kNever;
  std::optional<int64_t> default_num_key_value_heads = {};  ///< Nothing: one for each head.
  std::optional<int64_t> default_head_dim = {};             ///< Nothing: hidden_size / heads.
  int64_t default_max_position_embeddings = 0;
  std::optional<int64_t> default_bos_token_id = {};
  std::optional<int64_t> default_eos_token_id = {};
};

/// The table. Adding a family is adding a row here and, if it has new tensors, to their table.
std::span<const Family> families();
const Family& family_of(std::string_view architecture);  ///< That of a ModelConfig.

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
