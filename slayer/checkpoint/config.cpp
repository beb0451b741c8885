#include "slayer/checkpoint/config.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <fmt/format.h>
#include <string_view>

#include "slayer/checkpoint/family.h"
#include "slayer/core/error.h"

namespace slayer {
namespace {

// Far above any model, and low enough that no product of sizes overflows 64 bits.
constexpr int64_t kMaxLayers = 10'000;
constexpr int64_t kMaxVocab = int64_t{1} << 28U;
constexpr int64_t kMaxWidth = int64_t{1} << 22U;
constexpr int64_t kMaxTokens = int64_t{1} << 40U;
constexpr double kDefaultRmsNormEps = 1e-6;
constexpr double kDefaultRopeTheta = 10'000.0;
constexpr int64_t kDefaultSlidingWindow = 4096;
constexpr int64_t kDefaultMaxWindowLayers = 28;
constexpr std::string_view kFullAttention = "full_attention";
constexpr std::string_view kSlidingAttention = "sliding_attention";
/// The lists with one entry a layer that transformers knows in these families.
constexpr std::array<std::string_view, 2> kPerLayerLists{"layer_types", "mlp_layer_types"};

/// The architecture by `architectures`, or by `model_type` where that is missing.
const Family& find_family(const JsonObject& object) {
  const std::string expected = "one of " + supported_architectures();
  const auto model_type =
      object.has("model_type") ? std::optional(object.string("model_type")) : std::nullopt;
  if (!object.has("architectures")) {
    const auto family = std::ranges::find_if(
        families(), [&](const Family& known) { return known.model_type == model_type; });
    if (family == families().end()) {
      object.fail(model_type ? "model_type" : "architectures",
                  model_type ? printable(*model_type) : "nothing",
                  expected);
    }
    return *family;
  }
  const Json& names = object.array("architectures");
  if (names.size() != 1 || !names[0].is_string()) {
    object.fail("architectures", printable(compact_text(names)), expected);
  }
  const auto& name = names[0].get_ref<const std::string&>();
  const auto family = std::ranges::find(families(), name, &Family::architecture);
  if (family == families().end()) {
    object.fail("architectures", printable(name), expected);
  }
  if (model_type && *model_type != family->model_type) {
    object.fail("model_type",
                printable(*model_type),
                fmt::format("{}, the type of {}", family->model_type, name));
  }
  return *family;
}

/// What would make the same tensors another model.
void refuse_variants(const JsonObject& object) {
  const std::string activation = object.string_or("hidden_act", "silu");
  if (activation != "silu") {
    object.fail("hidden_act", printable(activation), "silu");
  }
  if (object.has("quantization_config")) {
    const auto method = object.object("quantization_config").string_or("quant_method", "unknown");
    object.fail("quantization_config",
                printable(method) + " quantization",
                "weights stored as float32, bfloat16 or float16");
  }
  if (object.number_or("partial_rotary_factor", 1.0) != 1.0) {
    object.fail("partial_rotary_factor",
                fmt::format("{}", object.number("partial_rotary_factor")),
                "1, rotary embedding of the whole head");
  }
}

int64_t key_value_heads(const JsonObject& object, const Family& family, int64_t heads) {
  const bool is_absent = !object.json().contains("num_key_value_heads");
  const int64_t fallback = is_absent ? family.default_num_key_value_heads.value_or(heads) : heads;
  const int64_t count = object.integer_or("num_key_value_heads", 1, heads, fallback);
  if (heads % count != 0) {
    object.fail("num_key_value_heads",
                fmt::format("{}", count),
                fmt::format("a divisor of num_attention_heads, {}", heads));
  }
  return count;
}

int64_t head_dimension(const JsonObject& object, const Family& family, const ModelConfig& config) {
  if (!object.has("head_dim") && !family.default_head_dim &&
      config.hidden_size % config.num_attention_heads != 0) {
    object.fail("hidden_size",
                fmt::format("{}", config.hidden_size),
                fmt::format("a multiple of num_attention_heads, {}", config.num_attention_heads));
  }
  const int64_t fallback =
      family.default_head_dim.value_or(config.hidden_size / config.num_attention_heads);
  const int64_t limit = kMaxWidth / config.num_attention_heads;
  const int64_t dimension = object.integer_or("head_dim", 1, limit, fallback);
  if (dimension % 2 != 0 || dimension > limit) {
    object.fail("head_dim",
                fmt::format("{}", dimension),
                fmt::format("an even number up to {} for rotary embedding", limit));
  }
  return dimension;
}

void read_sizes(const JsonObject& object, const Family& family, ModelConfig& config) {
  config.vocab_size = object.integer("vocab_size", 1, kMaxVocab);
  config.hidden_size = object.integer("hidden_size", 1, kMaxWidth);
  config.intermediate_size = object.integer("intermediate_size", 1, kMaxWidth);
  config.num_hidden_layers = object.integer("num_hidden_layers", 1, kMaxLayers);
  config.num_attention_heads = object.integer("num_attention_heads", 1, kMaxWidth);
  config.num_key_value_heads = key_value_heads(object, family, config.num_attention_heads);
  config.head_dim = head_dimension(object, family, config);
  config.max_position_embeddings = object.integer_or(
      "max_position_embeddings", 1, kMaxTokens, family.default_max_position_embeddings);
}

double positive_number(const JsonObject& object, std::string_view key, double value) {
  if (!std::isfinite(value) || value <= 0.0) {
    object.fail(key, fmt::format("{}", value), "a positive number");
  }
  return value;
}

RopeScaling read_rope_scaling(const JsonObject& root,
                              const JsonObject& rope,
                              int64_t max_position_embeddings) {
  // transformers before 4.43 wrote "type".
  const std::string type = rope.string_or("rope_type", rope.string_or("type", "default"));
  RopeScaling scaling;
  if (type == "default") {
    return scaling;
  }
  if (type != "linear" && type != "llama3") {
    rope.fail("rope_type", printable(type), "default, linear or llama3");
  }
  scaling.factor = positive_number(rope, "factor", rope.number("factor"));
  if (type == "linear") {
    scaling.type = RopeScaling::Type::kLinear;
    return scaling;
  }
  scaling.type = RopeScaling::Type::kLlama3;
  const auto required = [&](std::string_view key) {
    return positive_number(rope, key, rope.number(key));
  };
  scaling.low_freq_factor = required("low_freq_factor");
  scaling.high_freq_factor = required("high_freq_factor");
  if (scaling.high_freq_factor <= scaling.low_freq_factor) {
    rope.fail("high_freq_factor",
              fmt::format("{}", scaling.high_freq_factor),
              fmt::format("more than low_freq_factor, {}", scaling.low_freq_factor));
  }
  // At the top level it wins, as in transformers' standardize_rope_params.
  constexpr std::string_view kOriginal = "original_max_position_embeddings";
  scaling.original_max_position_embeddings =
      (root.has(kOriginal) ? root : rope)
          .integer_or(kOriginal, 1, kMaxTokens, max_position_embeddings);
  return scaling;
}

/// transformers 4: `rope_theta` and `rope_scaling`; 5: both inside `rope_parameters`.
void read_rope(const JsonObject& object, ModelConfig& config) {
  const bool has_scaling =
      object.has("rope_scaling") && !object.object("rope_scaling").json().empty();
  const std::string_view key = has_scaling ? "rope_scaling" : "rope_parameters";
  const Json none = Json::object();
  const JsonObject rope =
      object.has(key) ? object.object(key) : JsonObject(none, object.file(), std::string(key));
  for (const std::string_view layer_type : {kFullAttention, kSlidingAttention}) {
    if (rope.has(layer_type)) {
      rope.fail(layer_type, "parameters of one layer type", "the same ones for all layers");
    }
  }
  if (rope.number_or("partial_rotary_factor", 1.0) != 1.0) {
    rope.fail("partial_rotary_factor",
              fmt::format("{}", rope.number("partial_rotary_factor")),
              "1, rotary embedding of the whole head");
  }
  const JsonObject& theta_holder = rope.has("rope_theta") ? rope : object;
  config.rope_theta = positive_number(
      theta_holder, "rope_theta", theta_holder.number_or("rope_theta", kDefaultRopeTheta));
  config.rope_scaling = read_rope_scaling(object, rope, config.max_position_embeddings);
}

void read_flags(const JsonObject& object, const Family& family, ModelConfig& config) {
  config.tie_word_embeddings = object.boolean_or("tie_word_embeddings", false);
  const bool has_attention_bias =
      family.has_attention_bias_option && object.boolean_or("attention_bias", false);
  config.has_qkv_bias = family.has_qkv_bias || has_attention_bias;
  config.has_o_bias = has_attention_bias;
  config.has_mlp_bias = family.has_mlp_bias_option && object.boolean_or("mlp_bias", false);
  config.has_qk_norm = family.has_qk_norm;
}

/// The value of `sliding_window`: transformers' default when absent, none when null.
std::optional<int64_t> window_size(const JsonObject& object) {
  const bool is_null = object.json().contains("sliding_window") && !object.has("sliding_window");
  if (is_null) {
    return std::nullopt;
  }
  return object.integer_or("sliding_window", 1, kMaxTokens, kDefaultSlidingWindow);
}

/// For each layer whether it is of type sliding_attention.
std::vector<bool> read_layer_types(const JsonObject& object, bool has_window) {
  std::vector<bool> is_sliding;
  for (const Json& type : object.array("layer_types")) {
    if (type != kFullAttention && type != kSlidingAttention) {
      object.fail("layer_types",
                  printable(compact_text(type)),
                  fmt::format("{} or {}", kFullAttention, kSlidingAttention));
    }
    if (type == kSlidingAttention && !has_window) {
      object.fail("layer_types",
                  std::string(kSlidingAttention),
                  "use_sliding_window true and a sliding_window");
    }
    is_sliding.push_back(type == kSlidingAttention);
  }
  return is_sliding;
}

void read_sliding_window(const JsonObject& object, const Family& family, ModelConfig& config) {
  const auto layers = static_cast<size_t>(config.num_hidden_layers);
  config.sliding_window.assign(layers, std::nullopt);
  for (const std::string_view list : kPerLayerLists) {
    if (object.has(list) && object.array(list).size() != layers) {
      object.fail(list,
                  fmt::format("{} entries", object.array(list).size()),
                  fmt::format("num_hidden_layers, {}", layers));
    }
  }
  if (family.sliding_window == SlidingWindowRule::kEveryLayer) {
    config.sliding_window.assign(layers, window_size(object));
  }
  if (family.sliding_window != SlidingWindowRule::kDeepLayers) {
    return;
  }
  const std::optional<int64_t> window =
      object.boolean_or("use_sliding_window", false) ? window_size(object) : std::nullopt;
  if (object.has("layer_types")) {
    const std::vector<bool> is_sliding = read_layer_types(object, window.has_value());
    for (size_t layer = 0; layer < layers; ++layer) {
      config.sliding_window[layer] = is_sliding[layer] ? window : std::nullopt;
    }
    return;
  }
  const int64_t first_windowed =
      object.integer_or("max_window_layers", 0, INT64_MAX, kDefaultMaxWindowLayers);
  for (int64_t layer = first_windowed; layer < config.num_hidden_layers; ++layer) {
    config.sliding_window[static_cast<size_t>(layer)] = window;
  }
}

std::optional<Dtype> read_dtype(const JsonObject& object) {
  const std::string_view key = object.has("dtype") ? "dtype" : "torch_dtype";
  if (!object.has(key)) {
    return std::nullopt;
  }
  const std::string name = object.string(key);
  try {
    return dtype_from_torch_name(name);
  } catch (const Error& error) {
    object.fail(key, error.parts().found, error.parts().expected);
  }
}

void read_token_ids(const JsonObject& object, const Family& family, ModelConfig& config) {
  const auto id_or_default = [&](std::string_view key, std::optional<int64_t> absent) {
    if (!object.json().contains(key)) {
      return absent;
    }
    return object.has(key) ? std::optional(object.integer(key, 0, kMaxVocab)) : std::nullopt;
  };
  config.bos_token_id = id_or_default("bos_token_id", family.default_bos_token_id);
  if (object.has("eos_token_id") && object.json().at("eos_token_id").is_array()) {
    for (const Json& id : object.array("eos_token_id")) {
      if (!id.is_number_integer() || id < 0 || id > kMaxVocab) {
        object.fail("eos_token_id", printable(compact_text(id)), "token ids");
      }
      config.eos_token_ids.push_back(id.get<int64_t>());
    }
  } else if (const auto id = id_or_default("eos_token_id", family.default_eos_token_id)) {
    config.eos_token_ids.push_back(*id);
  }
}

/// Qwen's other way to say which layers have windows: `max_window_layers`, those from there on.
/// Where the new order of layers does not allow it, `layer_types` says it.
void follow_max_window_layers(const std::vector<int64_t>& origins, ModelConfig& config) {
  const bool has_windows = std::ranges::any_of(
      config.sliding_window, [](const auto& window) { return window.has_value(); });
  if (!config.json.contains("max_window_layers") && !has_windows) {
    return;
  }
  const auto first_windowed = config.json.value("max_window_layers", kDefaultMaxWindowLayers);
  const auto new_first =
      std::ranges::count_if(origins, [&](int64_t origin) { return origin < first_windowed; });
  config.json["max_window_layers"] = new_first;
  if (!has_windows || config.json.contains("layer_types")) {
    return;
  }
  Json types = Json::array();
  bool is_split_once = true;
  for (const std::optional<int64_t>& window : config.sliding_window) {
    is_split_once &= window.has_value() == (std::ssize(types) >= new_first);
    types.push_back(window ? kSlidingAttention : kFullAttention);
  }
  if (!is_split_once) {
    config.json["layer_types"] = std::move(types);
  }
}

}  // namespace

ModelConfig parse_model_config(const Json& json, const std::string& file) {
  const JsonObject object(json, file);
  const Family& family = find_family(object);
  refuse_variants(object);
  ModelConfig config;
  config.architecture = family.architecture;
  config.model_type = family.model_type;
  read_sizes(object, family, config);
  config.rms_norm_eps =
      positive_number(object, "rms_norm_eps", object.number_or("rms_norm_eps", kDefaultRmsNormEps));
  read_rope(object, config);
  read_flags(object, family, config);
  read_sliding_window(object, family, config);
  config.dtype = read_dtype(object);
  read_token_ids(object, family, config);
  config.json = json;
  return config;
}

ModelConfig with_layers(const ModelConfig& config, const std::vector<int64_t>& origins) {
  assert(!origins.empty());
  ModelConfig result = config;
  result.num_hidden_layers = static_cast<int64_t>(origins.size());
  result.json["num_hidden_layers"] = result.num_hidden_layers;
  result.sliding_window.clear();
  for (const int64_t origin : origins) {
    result.sliding_window.push_back(config.sliding_window.at(static_cast<size_t>(origin)));
  }
  for (const std::string_view list : kPerLayerLists) {
    if (!config.json.contains(list) || config.json.at(list).is_null()) {
      continue;
    }
    Json entries = Json::array();
    for (const int64_t origin : origins) {
      entries.push_back(config.json.at(list).at(static_cast<size_t>(origin)));
    }
    result.json[list] = std::move(entries);
  }
  if (family_of(config.architecture).sliding_window == SlidingWindowRule::kDeepLayers) {
    follow_max_window_layers(origins, result);
  }
  return result;
}

}  // namespace slayer
