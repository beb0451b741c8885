#include "slayer/checkpoint/gguf_config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <numbers>

#include "slayer/checkpoint/dequantize.h"
#include "slayer/checkpoint/gguf_names.h"
#include "slayer/core/error.h"

namespace slayer {
namespace {

/// Bounds that no real model comes near; parse_model_config checks the combinations.
constexpr int64_t kLargestCount = int64_t{1} << 31;
/// Factors are float32, computed by others in float32 too.
constexpr double kFactorTolerance = 1e-5;

/// Reads the keys that begin with the architecture's name.
class ConfigReader final {
 public:
  explicit ConfigReader(const GgufFile& file)
      : file_(file), architecture_(file.string("general.architecture")) {
    if (architecture_ != "llama" && architecture_ != "qwen2" && architecture_ != "qwen3") {
      file_.fail("general.architecture", architecture_, "llama, qwen2 or qwen3");
    }
  }

  Json read() const {
    refuse_experts();
    const int64_t head_dim = read_head_dim();
    Json config;
    const auto window = count_or_nothing("attention.sliding_window");
    add_identity(config, window);
    config["vocab_size"] = read_vocab_size();
    config["hidden_size"] = count("embedding_length");
    config["intermediate_size"] = count("feed_forward_length");
    config["num_hidden_layers"] = count("block_count");
    config["num_attention_heads"] = count("attention.head_count");
    config["num_key_value_heads"] = read_kv_heads();
    config["head_dim"] = head_dim;
    config["hidden_act"] = "silu";
    config["max_position_embeddings"] = count("context_length");
    config["initializer_range"] = 0.02;
    config["rms_norm_eps"] = file_.number(key("attention.layer_norm_rms_epsilon"));
    config["rope_theta"] = rope_theta();
    config["rope_scaling"] = read_rope_scaling(head_dim);
    add_window(config, window);
    add_biases(config);
    config["attention_dropout"] = 0.0;
    config["tie_word_embeddings"] = file_.find("output.weight") == nullptr;
    config["use_cache"] = true;
    add_special_ids(config);
    return config;
  }

 private:
  std::string key(std::string_view name) const { return fmt::format("{}.{}", architecture_, name); }

  int64_t count(std::string_view name) const { return file_.integer(key(name), 1, kLargestCount); }

  std::optional<int64_t> count_or_nothing(std::string_view name) const {
    return file_.has(key(name)) ? std::optional(count(name)) : std::nullopt;
  }

  double rope_theta() const {
    return file_.has(key("rope.freq_base")) ? file_.number(key("rope.freq_base")) : 10000.0;
  }

  void refuse_experts() const {
    if (file_.optional_integer(key("expert_count"), 0, kLargestCount).value_or(0) > 0) {
      file_.fail(key("expert_count"), "a mixture of experts", "a dense model");
    }
  }

  /// Mistral is Llama with a window; converters call both "llama".
  void add_identity(Json& config, std::optional<int64_t> window) const {
    const bool is_mistral = architecture_ == "llama" && window.has_value();
    const bool is_llama = architecture_ == "llama" && !is_mistral;
    config["architectures"] = {is_llama                   ? "LlamaForCausalLM"
                               : is_mistral               ? "MistralForCausalLM"
                               : architecture_ == "qwen2" ? "Qwen2ForCausalLM"
                                                          : "Qwen3ForCausalLM"};
    config["model_type"] = is_mistral ? "mistral" : architecture_;
  }

  void add_window(Json& config, std::optional<int64_t> window) const {
    if (architecture_ != "llama") {
      config["use_sliding_window"] = false;
    } else if (window) {
      config["sliding_window"] = *window;
    }
  }

  int64_t read_vocab_size() const {
    const GgufTensor* const embedding = file_.find("token_embd.weight");
    if (embedding == nullptr || embedding->shape.size() != 2) {
      file_.fail("token_embd.weight",
                 embedding == nullptr ? "nothing" : "another rank",
                 "a tensor [vocabulary, embedding_length]");
    }
    return embedding->shape[0];
  }

  /// One count for all layers; some converters write it once for each.
  int64_t read_kv_heads() const {
    const std::string name = key("attention.head_count_kv");
    if (!file_.has(name)) {
      return count("attention.head_count");
    }
    if (!file_.is_array(name)) {
      return file_.integer(name, 1, kLargestCount);
    }
    const auto counts = file_.integers(name, 1, kLargestCount);
    if (counts.empty() ||
        std::ranges::adjacent_find(counts, std::ranges::not_equal_to()) != counts.end()) {
      file_.fail(name, "counts that differ", "the same count for every layer");
    }
    return counts.front();
  }

  int64_t read_head_dim() const {
    const int64_t heads = count("attention.head_count");
    const auto stated = count_or_nothing("attention.key_length");
    if (!stated && count("embedding_length") % heads != 0) {
      file_.fail(key("attention.head_count"),
                 fmt::format("{}", heads),
                 fmt::format("a divisor of embedding_length, {}", count("embedding_length")));
    }
    const int64_t head_dim = stated.value_or(count("embedding_length") / heads);
    for (const std::string_view same : {"attention.value_length", "rope.dimension_count"}) {
      if (const auto other = count_or_nothing(same); other && *other != head_dim) {
        file_.fail(
            key(same), fmt::format("{}", *other), fmt::format("the head size, {}", head_dim));
      }
    }
    return head_dim;
  }

  Json read_rope_scaling(int64_t head_dim) const {
    const GgufTensor* const factors = file_.find(kRopeFactorsName);
    const std::string type = file_.string_or(key("rope.scaling.type"), "none");
    if (factors != nullptr) {
      return read_llama3_scaling(*factors, head_dim);
    }
    if (type == "linear") {
      return {{"rope_type", "linear"},
              {"type", "linear"},
              {"factor", file_.number(key("rope.scaling.factor"))}};
    }
    if (type != "none") {
      file_.fail(key("rope.scaling.type"), printable(type), "none or linear");
    }
    return nullptr;
  }

  Json read_llama3_scaling(const GgufTensor& tensor, int64_t head_dim) const {
    std::vector<float> factors(static_cast<size_t>(tensor.element_count()));
    std::optional<RopeScaling> scaling;
    if (tensor.element_count() == head_dim / 2) {
      dequantize(tensor.type, file_.bytes(tensor), 0, factors);
      scaling = scaling_from_frequency_factors(factors, rope_theta());
    }
    if (!scaling) {
      file_.fail(tensor.name,
                 "factors of an unknown kind of rope scaling",
                 fmt::format("the {} factors of Llama 3's", head_dim / 2));
    }
    if (scaling->type == RopeScaling::Type::kDefault) {
      return nullptr;
    }
    return {{"rope_type", "llama3"},
            {"factor", scaling->factor},
            {"low_freq_factor", scaling->low_freq_factor},
            {"high_freq_factor", scaling->high_freq_factor},
            {"original_max_position_embeddings", scaling->original_max_position_embeddings}};
  }

  void add_biases(Json& config) const {
    if (architecture_ == "qwen2") {
      return;  // Its biases on q, k and v go without saying.
    }
    const auto exists = [this](TensorRole role) {
      return file_.find(gguf_tensor_name(role, 0)) != nullptr;
    };
    config["attention_bias"] = exists(TensorRole::kQueryBias);
    if (architecture_ == "llama" && config["model_type"] == "llama") {
      config["mlp_bias"] = exists(TensorRole::kGateBias);
    }
  }

  void add_special_ids(Json& config) const {
    const auto id = [&](std::string_view name) {
      return file_.optional_integer(
          fmt::format("tokenizer.ggml.{}_token_id", name), 0, kLargestCount);
    };
    if (const auto bos = id("bos")) {
      config["bos_token_id"] = *bos;
    }
    if (const auto eos = id("eos")) {
      const auto turn_end = id("eot");
      config["eos_token_id"] = turn_end && *turn_end != *eos ? Json{*eos, *turn_end} : Json(*eos);
    }
    if (const auto padding = id("padding")) {
      config["pad_token_id"] = *padding;
    }
  }

  const GgufFile& file_;
  std::string architecture_;
};

double wavelength(size_t pair, size_t pairs, double rope_theta) {
  const double exponent = static_cast<double>(pair) / static_cast<double>(pairs);
  return 2.0 * std::numbers::pi * std::pow(rope_theta, exponent);
}

/// The nearest of the numbers that people write, with up to `digits` decimals.
double rounded(double value, int digits) {
  const double scale = std::pow(10.0, digits);
  return std::round(value * scale) / scale;
}

/// Between the two bends the factor is 1 / ((1 - s) / F + s) with s = slope / wavelength - offset,
/// where slope = original / (high - low) and offset = low / (high - low). Low, high and original
/// are known up to a common scale, which low = 1 settles: all models in the wild have it.
std::optional<RopeScaling> solve_bend(std::span<const float> factors,
                                      double rope_theta,
                                      double largest) {
  double n = 0;
  double sum_x = 0;
  double sum_y = 0;
  double sum_xx = 0;
  double sum_xy = 0;
  for (size_t pair = 0; pair < factors.size(); ++pair) {
    const double factor = factors[pair];
    if (factor <= 1.0 + 1e-6 || factor >= largest * (1.0 - 1e-6)) {
      continue;
    }
    const double x = 1.0 / wavelength(pair, factors.size(), rope_theta);
    const double y = (1.0 / factor - 1.0 / largest) / (1.0 - 1.0 / largest);
    n += 1;
    sum_x += x;
    sum_y += y;
    sum_xx += x * x;
    sum_xy += x * y;
  }
  const double determinant = n * sum_xx - sum_x * sum_x;
  if (n < 2 || determinant <= 0) {
    return std::nullopt;
  }
  const double slope = (n * sum_xy - sum_x * sum_y) / determinant;
  const double offset = (slope * sum_x - sum_y) / n;
  if (!(slope > 0) || !(offset > 0)) {
    return std::nullopt;
  }
  RopeScaling scaling{.type = RopeScaling::Type::kLlama3, .factor = rounded(largest, 4)};
  scaling.low_freq_factor = 1.0;
  scaling.high_freq_factor = rounded((1.0 + offset) / offset, 3);
  const double original = std::round(slope * (scaling.high_freq_factor - 1.0));
  if (!(original >= 1) || original > static_cast<double>(kLargestCount)) {
    return std::nullopt;
  }
  scaling.original_max_position_embeddings = static_cast<int64_t>(original);
  return scaling;
}

}  // namespace

Json config_from_gguf(const GgufFile& file) { return ConfigReader(file).read(); }

std::vector<float> llama3_frequency_factors(const RopeScaling& scaling,
                                            double rope_theta,
                                            int64_t head_dim) {
  const auto original = static_cast<double>(scaling.original_max_position_embeddings);
  std::vector<float> factors(static_cast<size_t>(head_dim / 2));
  for (size_t pair = 0; pair < factors.size(); ++pair) {
    const double turns = original / wavelength(pair, factors.size(), rope_theta);
    const double share = std::clamp(
        (turns - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor),
        0.0,
        1.0);
    factors[pair] = static_cast<float>(1.0 / ((1.0 - share) / scaling.factor + share));
  }
  return factors;
}

std::optional<RopeScaling> scaling_from_frequency_factors(std::span<const float> factors,
                                                          double rope_theta) {
  if (std::ranges::all_of(factors, [](float factor) { return factor == 1.0F; })) {
    return RopeScaling{};
  }
  const double largest = *std::ranges::max_element(factors);
  if (!std::isfinite(largest) || largest <= 1.0 || !(rope_theta > 1.0)) {
    return std::nullopt;
  }
  const auto scaling = solve_bend(factors, rope_theta, largest);
  if (!scaling) {
    return std::nullopt;
  }
  const auto expected =
      llama3_frequency_factors(*scaling, rope_theta, static_cast<int64_t>(2 * factors.size()));
  const bool agrees = std::ranges::equal(factors, expected, [](float found, float wanted) {
    return std::abs(double{found} - double{wanted}) <= kFactorTolerance * double{wanted};
  });
  return agrees ? scaling : std::nullopt;
}

}  // namespace slayer
