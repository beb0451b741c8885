#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "slayer/core/dtype.h"
#include "slayer/core/json.h"

namespace slayer {

/// How rotary frequencies are stretched for long contexts.
/// Source: transformers modeling_rope_utils.py, rope_type "default", "linear" and "llama3".
struct RopeScaling {
  enum class Type : uint8_t { kDefault, kLinear, kLlama3 };
  Type type = Type::kDefault;
  double factor = 1.0;
  double low_freq_factor = 1.0;                     ///< llama3 only.
  double high_freq_factor = 4.0;                    ///< llama3 only.
  int64_t original_max_position_embeddings = 8192;  ///< llama3 only.
};

/// What the decoder needs to know of a checkpoint: config.json, checked. The fields have
/// transformers' names; what one family says by being itself (QKV bias of Qwen2) is spelled out.
struct ModelConfig {
  std::string architecture;  ///< "LlamaForCausalLM": key of the table in family.h.
  std::string model_type;    ///< "llama".
  int64_t vocab_size = 0;
  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;
  int64_t num_hidden_layers = 0;
  int64_t num_attention_heads = 0;
  int64_t num_key_value_heads = 0;
  int64_t head_dim = 0;
  int64_t max_position_embeddings = 0;
  double rms_norm_eps = 0.0;
  double rope_theta = 0.0;
  RopeScaling rope_scaling;
  bool tie_word_embeddings = false;
  bool has_qkv_bias = false;
  bool has_o_bias = false;
  bool has_mlp_bias = false;
  bool has_qk_norm = false;  ///< RMSNorm over head_dim of queries and keys (Qwen3).
  /// For each layer its attention window in tokens; empty optional: full attention.
  std::vector<std::optional<int64_t>> sliding_window;
  std::optional<Dtype> dtype;  ///< `dtype` or `torch_dtype`, where given.
  std::optional<int64_t> bos_token_id;
  std::vector<int64_t> eos_token_ids;  ///< An integer or a list in the file.
  Json json;                           ///< The whole file, for writing it back.
};

/// Reads config.json's content, as transformers 4 (rope_theta, rope_scaling, torch_dtype) or 5
/// (rope_parameters, dtype) write it. `file` is named in errors.
/// @throws Error for an architecture that is not supported (listing those that are), and for
/// missing, ill-typed, absurd or contradictory fields.
ModelConfig parse_model_config(const Json& json, const std::string& file);

/// The config of a model whose target layer t is a copy of source layer `origins[t]`: the layer
/// count and every per-layer list (layer_types, max_window_layers, ...) follow.
ModelConfig with_layers(const ModelConfig& config, const std::vector<int64_t>& origins);

}  // namespace slayer
