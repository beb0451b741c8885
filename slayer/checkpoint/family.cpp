#include "slayer/checkpoint/family.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <fmt/format.h>
#include <iterator>
#include <numeric>
#include <optional>

namespace slayer {
namespace {

/// A dimension of a tensor, named by the config.
enum class Axis : uint8_t { kNone, kVocab, kHidden, kHeads, kKvHeads, kHeadDim, kFfn };

/// Which part of a config brings a tensor into being.
enum class Presence : uint8_t { kAlways, kUntiedHead, kQkvBias, kOutputBias, kMlpBias, kQkNorm };

struct TensorRow {
  TensorRole role;
  bool is_in_layer;
  std::string_view name;  ///< After "model.layers.N." for a layer's.
  Axis rows;
  Axis columns;  ///< kNone: a vector.
  Presence presence = Presence::kAlways;
};

/// Hugging Face's tensors of the Llama line, in the order of the forward pass.
constexpr std::array kTensors{
    TensorRow{
        TensorRole::kEmbedding, false, "model.embed_tokens.weight", Axis::kVocab, Axis::kHidden},
    TensorRow{TensorRole::kInputNorm, true, "input_layernorm.weight", Axis::kHidden, Axis::kNone},
    TensorRow{
        TensorRole::kQueryWeight, true, "self_attn.q_proj.weight", Axis::kHeads, Axis::kHidden},
    TensorRow{TensorRole::kQueryBias,
              true,
              "self_attn.q_proj.bias",
              Axis::kHeads,
              Axis::kNone,
              Presence::kQkvBias},
    TensorRow{
        TensorRole::kKeyWeight, true, "self_attn.k_proj.weight", Axis::kKvHeads, Axis::kHidden},
    TensorRow{TensorRole::kKeyBias,
              true,
              "self_attn.k_proj.bias",
              Axis::kKvHeads,
              Axis::kNone,
              Presence::kQkvBias},
    TensorRow{
        TensorRole::kValueWeight, true, "self_attn.v_proj.weight", Axis::kKvHeads, Axis::kHidden},
    TensorRow{TensorRole::kValueBias,
              true,
              "self_attn.v_proj.bias",
              Axis::kKvHeads,
              Axis::kNone,
              Presence::kQkvBias},
    TensorRow{TensorRole::kQueryNorm,
              true,
              "self_attn.q_norm.weight",
              Axis::kHeadDim,
              Axis::kNone,
              Presence::kQkNorm},
    TensorRow{TensorRole::kKeyNorm,
              true,
              "self_attn.k_norm.weight",
              Axis::kHeadDim,
              Axis::kNone,
              Presence::kQkNorm},
    TensorRow{
        TensorRole::kOutputWeight, true, "self_attn.o_proj.weight", Axis::kHidden, Axis::kHeads},
    TensorRow{TensorRole::kOutputBias,
              true,
              "self_attn.o_proj.bias",
              Axis::kHidden,
              Axis::kNone,
              Presence::kOutputBias},
    TensorRow{TensorRole::kPostAttentionNorm,
              true,
              "post_attention_layernorm.weight",
              Axis::kHidden,
              Axis::kNone},
    TensorRow{TensorRole::kGateWeight, true, "mlp.gate_proj.weight", Axis::kFfn, Axis::kHidden},
    TensorRow{TensorRole::kGateBias,
              true,
              "mlp.gate_proj.bias",
              Axis::kFfn,
              Axis::kNone,
              Presence::kMlpBias},
    TensorRow{TensorRole::kUpWeight, true, "mlp.up_proj.weight", Axis::kFfn, Axis::kHidden},
    TensorRow{
        TensorRole::kUpBias, true, "mlp.up_proj.bias", Axis::kFfn, Axis::kNone, Presence::kMlpBias},
    TensorRow{TensorRole::kDownWeight, true, "mlp.down_proj.weight", Axis::kHidden, Axis::kFfn},
    TensorRow{TensorRole::kDownBias,
              true,
              "mlp.down_proj.bias",
              Axis::kHidden,
              Axis::kNone,
              Presence::kMlpBias},
    TensorRow{TensorRole::kFinalNorm, false, "model.norm.weight", Axis::kHidden, Axis::kNone},
    TensorRow{TensorRole::kHead,
              false,
              "lm_head.weight",
              Axis::kVocab,
              Axis::kHidden,
              Presence::kUntiedHead},
};

/// The supported architectures, what each says by being itself, and transformers' defaults for
/// what config.json may leave out.
constexpr std::array kFamilies{
    Family{.architecture = "LlamaForCausalLM",
           .model_type = "llama",
           .has_attention_bias_option = true,
           .has_mlp_bias_option = true,
           .default_max_position_embeddings = 2048,
           .default_bos_token_id = 1,
           .default_eos_token_id = 2},
    Family{.architecture = "MistralForCausalLM",
           .model_type = "mistral",
           .sliding_window = SlidingWindowRule::kEveryLayer,
           .default_num_key_value_heads = 8,
           .default_max_position_embeddings = 131072,
           .default_bos_token_id = 1,
           .default_eos_token_id = 2},
    Family{.architecture = "Qwen2ForCausalLM",
           .model_type = "qwen2",
           .has_qkv_bias = true,
           .sliding_window = SlidingWindowRule::kDeepLayers,
           .default_num_key_value_heads = 32,
           .default_max_position_embeddings = 32768},
    Family{.architecture = "Qwen3ForCausalLM",
           .model_type = "qwen3",
           .has_attention_bias_option = true,
           .has_qk_norm = true,
           .sliding_window = SlidingWindowRule::kDeepLayers,
           .default_num_key_value_heads = 32,
           .default_head_dim = 128,
           .default_max_position_embeddings = 32768},
};

int64_t extent(Axis axis, const ModelConfig& config) {
  switch (axis) {
    case Axis::kNone:
      return 1;
    case Axis::kVocab:
      return config.vocab_size;
    case Axis::kHidden:
      return config.hidden_size;
    case Axis::kHeads:
      return config.num_attention_heads * config.head_dim;
    case Axis::kKvHeads:
      return config.num_key_value_heads * config.head_dim;
    case Axis::kHeadDim:
      return config.head_dim;
    case Axis::kFfn:
      return config.intermediate_size;
  }
  return 0;
}

bool is_present(Presence presence, const ModelConfig& config) {
  switch (presence) {
    case Presence::kAlways:
      return true;
    case Presence::kUntiedHead:
      return !config.tie_word_embeddings;
    case Presence::kQkvBias:
      return config.has_qkv_bias;
    case Presence::kOutputBias:
      return config.has_o_bias;
    case Presence::kMlpBias:
      return config.has_mlp_bias;
    case Presence::kQkNorm:
      return config.has_qk_norm;
  }
  return false;
}

std::vector<int64_t> shape_of(const TensorRow& row, const ModelConfig& config) {
  if (row.columns == Axis::kNone) {
    return {extent(row.rows, config)};
  }
  return {extent(row.rows, config), extent(row.columns, config)};
}

std::string name_of(const TensorRow& row, int64_t layer) {
  return row.is_in_layer ? fmt::format("model.layers.{}.{}", layer, row.name)
                         : std::string(row.name);
}

/// Parameters of the rows inside or outside the layers, for one layer or once.
int64_t parameters_of_rows(const ModelConfig& config, bool is_in_layer) {
  int64_t count = 0;
  for (const TensorRow& row : kTensors) {
    if (row.is_in_layer == is_in_layer && is_present(row.presence, config)) {
      count += extent(row.rows, config) * extent(row.columns, config);
    }
  }
  return count;
}

}  // namespace

std::vector<ExpectedTensor> expected_tensors(const ModelConfig& config) {
  std::vector<ExpectedTensor> expected;
  const auto append = [&](const TensorRow& row, int64_t layer) {
    if (is_present(row.presence, config)) {
      expected.push_back({.role = row.role,
                          .layer = layer,
                          .name = name_of(row, layer),
                          .shape = shape_of(row, config)});
    }
  };
  const auto first_in_layer = std::ranges::find(kTensors, true, &TensorRow::is_in_layer);
  const auto after_layer = std::find_if(
      first_in_layer, kTensors.end(), [](const TensorRow& row) { return !row.is_in_layer; });
  for (const TensorRow& row : std::span(kTensors.begin(), first_in_layer)) {
    append(row, -1);
  }
  for (int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    for (const TensorRow& row : std::span(first_in_layer, after_layer)) {
      append(row, layer);
    }
  }
  for (const TensorRow& row : std::span(after_layer, kTensors.end())) {
    append(row, -1);
  }
  return expected;
}

std::string tensor_name(TensorRole role, int64_t layer) {
  const auto row = std::ranges::find(kTensors, role, &TensorRow::role);
  assert(row != kTensors.end() && row->is_in_layer == (layer >= 0));
  return name_of(*row, layer);
}

bool is_zeroed_by_zero_output(TensorRole role) {
  return role == TensorRole::kOutputWeight || role == TensorRole::kOutputBias ||
         role == TensorRole::kDownWeight || role == TensorRole::kDownBias;
}

int64_t parameters_per_layer(const ModelConfig& config) {
  return parameters_of_rows(config, /*is_in_layer=*/true);
}

int64_t parameter_count(const ModelConfig& config) {
  return parameters_of_rows(config, /*is_in_layer=*/false) +
         config.num_hidden_layers * parameters_per_layer(config);
}

std::span<const Family> families() { return kFamilies; }

const Family& family_of(std::string_view architecture) {
  const auto family = std::ranges::find(kFamilies, architecture, &Family::architecture);
  assert(family != kFamilies.end());
  return *family;
}

std::string supported_architectures() {
  std::vector<std::string_view> names;
  std::ranges::transform(kFamilies, std::back_inserter(names), &Family::architecture);
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace slayer
