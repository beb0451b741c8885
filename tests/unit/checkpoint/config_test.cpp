#include "slayer/checkpoint/config.h"

#include <gtest/gtest.h>

#include "slayer/checkpoint/family.h"

#include "tests/support/error_message.h"
#include "tests/support/tiny_checkpoint.h"

namespace slayer {
namespace {

ModelConfig parse(const Json& json) { return parse_model_config(json, "config.json"); }

/// The tiny config with these keys on top.
Json tiny_with(const Json& changes) {
  Json json = tiny_llama_config();
  json.update(changes);
  return json;
}

Json tiny_of(std::string_view architecture, std::string_view model_type, const Json& changes) {
  return tiny_with([&] {
    Json json = {{"architectures", {architecture}}, {"model_type", model_type}};
    json.update(changes);
    return json;
  }());
}

Json tiny_qwen2(const Json& changes) { return tiny_of("Qwen2ForCausalLM", "qwen2", changes); }

std::string error_of(const Json& json) {
  return message_of([&] { parse(json); });
}

TEST(ModelConfig, ReadsWhatLlamaSays) {
  const ModelConfig config = parse(tiny_llama_config());
  EXPECT_EQ(config.architecture, "LlamaForCausalLM");
  EXPECT_EQ(config.hidden_size, 8);
  EXPECT_EQ(config.num_key_value_heads, 1);
  EXPECT_EQ(config.head_dim, 4);
  EXPECT_EQ(config.rms_norm_eps, 1e-5);
  EXPECT_EQ(config.dtype, Dtype::kF32);
  EXPECT_EQ(config.bos_token_id, 1);
  EXPECT_EQ(config.eos_token_ids, std::vector<int64_t>{2});
  EXPECT_EQ(config.sliding_window, std::vector<std::optional<int64_t>>(2));
  EXPECT_FALSE(config.has_qkv_bias || config.has_o_bias || config.has_mlp_bias);
}

TEST(ModelConfig, ReadsTransformers5AsTransformers4) {
  Json old = tiny_with({{"rope_theta", 5e5},
                        {"rope_scaling",
                         {{"rope_type", "llama3"},
                          {"factor", 8.0},
                          {"low_freq_factor", 1.0},
                          {"high_freq_factor", 4.0},
                          {"original_max_position_embeddings", 16}}}});
  Json now = old;
  now["rope_parameters"] = old["rope_scaling"];
  now["rope_parameters"]["rope_theta"] = 5e5;
  now.erase("rope_scaling");
  now.erase("rope_theta");
  now["dtype"] = "float32";
  now.erase("torch_dtype");
  for (const Json& json : {old, now}) {
    const ModelConfig config = parse(json);
    EXPECT_EQ(config.rope_theta, 5e5);
    EXPECT_EQ(config.rope_scaling.type, RopeScaling::Type::kLlama3);
    EXPECT_EQ(config.rope_scaling.factor, 8.0);
    EXPECT_EQ(config.rope_scaling.original_max_position_embeddings, 16);
    EXPECT_EQ(config.dtype, Dtype::kF32);
  }
}

TEST(ModelConfig, TakesTransformersDefaultsForWhatIsAbsent) {
  Json json = tiny_with({{"num_attention_heads", 4}});
  for (const char* key : {"num_key_value_heads",
                          "rms_norm_eps",
                          "rope_theta",
                          "torch_dtype",
                          "max_position_embeddings",
                          "bos_token_id",
                          "eos_token_id"}) {
    json.erase(key);
  }
  ModelConfig config = parse(json);
  EXPECT_EQ(config.num_key_value_heads, 4);
  EXPECT_EQ(config.rms_norm_eps, 1e-6);
  EXPECT_EQ(config.rope_theta, 1e4);
  EXPECT_EQ(config.max_position_embeddings, 2048);
  EXPECT_EQ(config.dtype, std::nullopt);
  EXPECT_EQ(config.bos_token_id, 1);
  json["architectures"] = {"Qwen3ForCausalLM"};
  json["model_type"] = "qwen3";
  json["num_key_value_heads"] = nullptr;
  config = parse(json);
  EXPECT_EQ(config.head_dim, 128);
  EXPECT_EQ(config.num_key_value_heads, 4);
  EXPECT_EQ(config.bos_token_id, std::nullopt);
  EXPECT_TRUE(config.eos_token_ids.empty());
}

TEST(ModelConfig, TakesModelTypeWhereArchitecturesAreAbsent) {
  Json json = tiny_llama_config();
  json.erase("architectures");
  EXPECT_EQ(parse(json).architecture, "LlamaForCausalLM");
}

TEST(ModelConfig, KnowsEachFamilysBiasesAndNorms) {
  const ModelConfig llama = parse(tiny_with({{"attention_bias", true}, {"mlp_bias", true}}));
  EXPECT_TRUE(llama.has_qkv_bias && llama.has_o_bias && llama.has_mlp_bias);
  const ModelConfig qwen2 = parse(tiny_qwen2({{"attention_bias", true}}));
  EXPECT_TRUE(qwen2.has_qkv_bias);
  EXPECT_FALSE(qwen2.has_o_bias || qwen2.has_qk_norm);
  EXPECT_TRUE(parse(tiny_of("Qwen3ForCausalLM", "qwen3", {{"head_dim", 6}})).has_qk_norm);
}

TEST(ModelConfig, ReadsSlidingWindowsAsEachFamilyMeansThem) {
  using Windows = std::vector<std::optional<int64_t>>;
  const auto mistral = [](const Json& changes) {
    return parse(tiny_of("MistralForCausalLM", "mistral", changes)).sliding_window;
  };
  EXPECT_EQ(mistral(Json::object()), (Windows{4096, 4096}));
  EXPECT_EQ(mistral({{"sliding_window", nullptr}}), (Windows(2)));
  EXPECT_EQ(mistral({{"sliding_window", 7}}), (Windows{7, 7}));
  const Json window = {{"use_sliding_window", true}, {"sliding_window", 7}};
  const auto qwen = [&](const Json& changes) {
    Json json = window;
    json.update(changes);
    return parse(tiny_qwen2(json)).sliding_window;
  };
  EXPECT_EQ(qwen(Json::object()), (Windows(2)));  // max_window_layers is 28
  EXPECT_EQ(qwen({{"max_window_layers", 1}}), (Windows{std::nullopt, 7}));
  EXPECT_EQ(qwen({{"layer_types", {"sliding_attention", "full_attention"}}}),
            (Windows{7, std::nullopt}));
  EXPECT_EQ(parse(tiny_qwen2({{"sliding_window", 7}, {"max_window_layers", 0}})).sliding_window,
            (Windows(2)));
  EXPECT_EQ(parse(tiny_with({{"sliding_window", 7}})).sliding_window, (Windows(2)));
}

TEST(ModelConfig, ReadsEosAsANumberAListOrNothing) {
  EXPECT_EQ(parse(tiny_with({{"eos_token_id", {3, 5}}})).eos_token_ids,
            (std::vector<int64_t>{3, 5}));
  EXPECT_TRUE(parse(tiny_with({{"eos_token_id", nullptr}})).eos_token_ids.empty());
}

struct Refusal {
  Json changes;
  std::string message;
};

TEST(ModelConfig, RefusesByName) {
  const std::string supported =
      "expected one of LlamaForCausalLM, MistralForCausalLM, Qwen2ForCausalLM, Qwen3ForCausalLM";
  const std::vector<Refusal> refusals{
      {{{"architectures", {"GPT2LMHeadModel"}}},
       "architectures: found GPT2LMHeadModel, " + supported},
      {{{"architectures", Json::array()}}, "architectures: found [], " + supported},
      {{{"architectures", nullptr}, {"model_type", "gpt2"}},
       "model_type: found gpt2, " + supported},
      {{{"architectures", nullptr}, {"model_type", nullptr}},
       "architectures: found nothing, " + supported},
      {{{"model_type", "mistral"}},
       "model_type: found mistral, expected llama, the type of LlamaForCausalLM"},
      {{{"hidden_act", "gelu"}}, "hidden_act: found gelu, expected silu"},
      {{{"quantization_config", {{"quant_method", "gptq"}}}},
       "quantization_config: found gptq quantization, expected weights stored as float32, bfloat16 "
       "or float16"},
      {{{"partial_rotary_factor", 0.5}},
       "partial_rotary_factor: found 0.5, expected 1, rotary embedding of the whole head"},
      {{{"rope_parameters", {{"partial_rotary_factor", 0.5}}}},
       "rope_parameters.partial_rotary_factor: found 0.5, expected 1, rotary embedding of the "
       "whole head"},
      {{{"hidden_size", -1}}, "hidden_size: found -1, expected an integer from 1 to 4194304"},
      {{{"hidden_size", 9}}, "hidden_size: found 9, expected a multiple of num_attention_heads, 2"},
      {{{"num_hidden_layers", 0}},
       "num_hidden_layers: found 0, expected an integer from 1 to 10000"},
      {{{"num_attention_heads", 4}, {"num_key_value_heads", 3}},
       "num_key_value_heads: found 3, expected a divisor of num_attention_heads, 4"},
      {{{"head_dim", 3}},
       "head_dim: found 3, expected an even number up to 2097152 for rotary embedding"},
      {{{"rms_norm_eps", 0}}, "rms_norm_eps: found 0, expected a positive number"},
      {{{"rope_theta", -1.0}}, "rope_theta: found -1, expected a positive number"},
      {{{"rope_scaling", {{"rope_type", "yarn"}, {"factor", 4.0}}}},
       "rope_scaling.rope_type: found yarn, expected default, linear or llama3"},
      {{{"rope_scaling", {{"type", "dynamic"}, {"factor", 4.0}}}},
       "rope_scaling.rope_type: found dynamic, expected default, linear or llama3"},
      {{{"rope_scaling", {{"rope_type", "longrope"}}}},
       "rope_scaling.rope_type: found longrope, expected default, linear or llama3"},
      {{{"rope_scaling", {{"type", "linear"}}}},
       "rope_scaling.factor: found nothing, expected this key"},
      {{{"rope_scaling",
         {{"type", "llama3"}, {"factor", 2}, {"low_freq_factor", 4}, {"high_freq_factor", 4}}}},
       "rope_scaling.high_freq_factor: found 4, expected more than low_freq_factor, 4"},
      {{{"rope_parameters", {{"full_attention", {{"rope_theta", 1e4}}}}}},
       "rope_parameters.full_attention: found parameters of one layer type, expected the same ones "
       "for all layers"},
      {{{"layer_types", {"full_attention"}}},
       "layer_types: found 1 entries, expected num_hidden_layers, 2"},
      {{{"torch_dtype", "int3"}}, "torch_dtype: found int3, expected float32, bfloat16 or float16"},
      {{{"eos_token_id", {1, -2}}}, "eos_token_id: found -2, expected token ids"},
  };
  for (const Refusal& refusal : refusals) {
    EXPECT_EQ(error_of(tiny_with(refusal.changes)), "config.json: " + refusal.message);
  }
  EXPECT_EQ(error_of(tiny_qwen2({{"layer_types", {"full_attention", "linear"}}})),
            "config.json: layer_types: found \"linear\", expected full_attention or "
            "sliding_attention");
  EXPECT_EQ(error_of(tiny_qwen2({{"layer_types", {"full_attention", "sliding_attention"}}})),
            "config.json: layer_types: found sliding_attention, expected use_sliding_window true "
            "and a sliding_window");
}

TEST(WithLayers, FollowsTheOriginsInEveryPerLayerField) {
  const ModelConfig base = parse(tiny_qwen2({{"num_hidden_layers", 4},
                                             {"use_sliding_window", true},
                                             {"sliding_window", 7},
                                             {"max_window_layers", 2}}));
  const ModelConfig grown = with_layers(base, {0, 1, 1, 2, 3});
  EXPECT_EQ(grown.num_hidden_layers, 5);
  EXPECT_EQ(grown.json["num_hidden_layers"], 5);
  EXPECT_EQ(grown.json["max_window_layers"], 3);
  EXPECT_FALSE(grown.json.contains("layer_types"));
  EXPECT_EQ(parse(grown.json).sliding_window, grown.sliding_window);

  const ModelConfig shuffled = with_layers(base, {3, 0, 2});
  EXPECT_EQ(shuffled.json["layer_types"],
            Json({"sliding_attention", "full_attention", "sliding_attention"}));
  EXPECT_EQ(parse(shuffled.json).sliding_window, shuffled.sliding_window);

  Json typed = base.json;
  typed["layer_types"] = {
      "full_attention", "sliding_attention", "full_attention", "sliding_attention"};
  const ModelConfig mapped = with_layers(parse(typed), {1, 1, 2});
  EXPECT_EQ(mapped.json["layer_types"],
            Json({"sliding_attention", "sliding_attention", "full_attention"}));
  EXPECT_EQ(parse(mapped.json).sliding_window, mapped.sliding_window);
}

TEST(Family, CountsTheParametersOfKnownModels) {
  const Json llama2_7b = {{"architectures", {"LlamaForCausalLM"}},
                          {"vocab_size", 32000},
                          {"hidden_size", 4096},
                          {"intermediate_size", 11008},
                          {"num_hidden_layers", 32},
                          {"num_attention_heads", 32}};
  EXPECT_EQ(parameter_count(parse(llama2_7b)), 6'738'415'616);
  EXPECT_EQ(parameters_per_layer(parse(llama2_7b)), 202'383'360);
  const Json smollm2 = {{"architectures", {"LlamaForCausalLM"}},
                        {"vocab_size", 49152},
                        {"hidden_size", 576},
                        {"intermediate_size", 1536},
                        {"num_hidden_layers", 30},
                        {"num_attention_heads", 9},
                        {"num_key_value_heads", 3},
                        {"tie_word_embeddings", true}};
  EXPECT_EQ(parameter_count(parse(smollm2)), 134'515'008);
}

TEST(Family, ListsTensorsInTheOrderOfTheForwardPass) {
  const auto tensors = expected_tensors(parse(tiny_llama_config()));
  ASSERT_EQ(tensors.size(), 21U);
  EXPECT_EQ(tensors.front().name, "model.embed_tokens.weight");
  EXPECT_EQ(tensors[2].name, "model.layers.0.self_attn.q_proj.weight");
  EXPECT_EQ(tensors[3].shape, (std::vector<int64_t>{4, 8}));
  EXPECT_EQ(tensors[19].name, "model.norm.weight");
  EXPECT_EQ(tensors.back().name, tensor_name(TensorRole::kHead));
  EXPECT_EQ(tensor_name(TensorRole::kDownBias, 3), "model.layers.3.mlp.down_proj.bias");
  EXPECT_TRUE(is_zeroed_by_zero_output(TensorRole::kOutputBias));
  EXPECT_FALSE(is_zeroed_by_zero_output(TensorRole::kGateWeight));
}

}  // namespace
}  // namespace slayer
