#include <ATen/ATen.h>

#include <cmath>
#include <fmt/format.h>
#include <fstream>
#include <gtest/gtest.h>

#include "slayer/model/device.h"
#include "slayer/model/generate.h"
#include "slayer/model/load.h"
#include "slayer/model/rms_norm.h"
#include "slayer/model/rotary.h"
#include "slayer/model/sampler.h"

#include "tests/parity/model/reference.h"
#include "tests/support/error_message.h"
#include "tests/support/scratch_folder.h"

namespace slayer {
namespace {

TEST(RmsNorm, DividesByTheRootMeanSquareAndScales) {
  // Mean square (9 + 16) / 2 = 12.5.
  const at::Tensor x = at::tensor({3.0, 4.0}, at::kFloat);
  const at::Tensor normed = rms_norm(x, at::tensor({1.0, 2.0}, at::kFloat), 0.0);
  EXPECT_NEAR(normed[0].item<double>(), 3.0 / std::sqrt(12.5), 1e-6);
  EXPECT_NEAR(normed[1].item<double>(), 8.0 / std::sqrt(12.5), 1e-6);
}

TEST(Rotary, TurnsEachPairByPositionTimesFrequency) {
  const ModelConfig config = [] {
    ModelConfig made;
    made.head_dim = 4;
    made.rope_theta = 100.0;
    return made;
  }();
  // Frequencies 1 and 100^(-1/2) = 0.1; components 0 and 2 are one pair, 1 and 3 the other.
  const RotaryTable table = rotary_table(config, at::tensor({{3}}, at::kLong), at::kFloat);
  const at::Tensor x = at::tensor({1.0, 1.0, 0.0, 0.0}, at::kFloat).view({1, 1, 1, 4});
  const at::Tensor turned = apply_rotary(x, table).flatten();
  EXPECT_NEAR(turned[0].item<double>(), std::cos(3.0), 1e-6);
  EXPECT_NEAR(turned[1].item<double>(), std::cos(0.3), 1e-6);
  EXPECT_NEAR(turned[2].item<double>(), std::sin(3.0), 1e-6);
  EXPECT_NEAR(turned[3].item<double>(), std::sin(0.3), 1e-6);
}

TEST(Sampler, TakesTheFirstOfTheMostLikelyAtTemperatureZero) {
  Sampler sampler({}, 0);
  EXPECT_EQ(sampler.sample(std::vector<float>{0.0F, 2.0F, 2.0F}), 1);
}

std::vector<int64_t> counts(const SamplingOptions& options, const std::vector<float>& logits) {
  Sampler sampler(options, 0);
  std::vector<int64_t> drawn(logits.size());
  for (int draw = 0; draw < 8000; ++draw) {
    ++drawn[static_cast<size_t>(sampler.sample(logits))];
  }
  return drawn;
}

TEST(Sampler, DrawsByProbability) {
  // Probabilities 1/2, 1/4, 1/4; five standard deviations of 8000 draws are 224 and 194.
  const std::vector<float> logits{std::log(2.0F), 0.0F, 0.0F};
  const auto drawn = counts({.temperature = 1.0}, logits);
  EXPECT_NEAR(static_cast<double>(drawn[0]), 4000.0, 224.0);
  EXPECT_NEAR(static_cast<double>(drawn[1]), 2000.0, 194.0);
  // At half the temperature the first is four times as likely as each other: 2/3.
  EXPECT_NEAR(static_cast<double>(counts({.temperature = 0.5}, logits)[0]), 5333.0, 211.0);
}

TEST(Sampler, LeavesOutWhatTopKAndTopPDo) {
  const std::vector<float> logits{0.0F, std::log(5.0F), std::log(3.0F), std::log(1.0F)};
  const auto top2 = counts({.temperature = 1.0, .top_k = 2}, logits);
  EXPECT_EQ(top2[0] + top2[3], 0);
  EXPECT_NEAR(static_cast<double>(top2[1]), 5000.0, 217.0);
  // Probabilities .1, .5, .3, .1: half is reached by the first, 0.7 by the first two.
  EXPECT_EQ(counts({.temperature = 1.0, .top_p = 0.49}, logits)[1], 8000);
  const auto nucleus = counts({.temperature = 1.0, .top_p = 0.7}, logits);
  EXPECT_EQ(nucleus[0] + nucleus[3], 0);
  EXPECT_GT(nucleus[2], 0);
}

TEST(Sampler, RefusesOptionsOutOfRange) {
  const auto message = [](const SamplingOptions& options) {
    return message_of([&] { validate(options); });
  };
  EXPECT_EQ(message({.temperature = -1.0}),
            "--temperature: found -1, expected a number from 0 (always the most likely token) up");
  EXPECT_EQ(message({.top_k = -1}),
            "--top-k: found -1, expected an integer from 0 (all tokens) up");
  EXPECT_EQ(message({.top_p = 0.0}), "--top-p: found 0, expected a number above 0 and at most 1");
}

TEST(Device, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(device_from_name("cpu"), at::Device(at::kCPU));
  EXPECT_EQ(message_of([] { device_from_name("gpu"); }),
            "--device: found gpu, expected cpu, cuda or cuda:<n>");
  EXPECT_EQ(message_of([] { scalar_type_from_name("float8"); }),
            "--dtype: found float8, expected float32, bfloat16 or float16");
  EXPECT_TRUE(message_of([] {
                device_from_name("cuda:99");
              }).starts_with("--device: found cuda:99, expected one of the "));
}

TEST(Generate, RefusesPromptsThatCannotBeRun) {
  const CausalLM model = test::load_tiny("llama2");
  EXPECT_EQ(message_of([&] { generate(model, {{}}, {}); }),
            "prompt: found 0 tokens, expected 1 to 1023 tokens, as the model's context is 1024");
  EXPECT_EQ(message_of([&] { generate(model, {{5}, std::vector<int32_t>(1024, 5)}, {}); }),
            "prompt: number 2: found 1024 tokens, expected 1 to 1023 tokens, as the model's "
            "context is 1024");
  EXPECT_EQ(message_of([&] { generate(model, {{5}}, {.max_new_tokens = 0}); }),
            "--max-new-tokens: found 0, expected an integer from 1 up");
}

TEST(Generate, EndsBeforeAStopTokenAndAtTheContext) {
  CausalLM model = test::load_tiny("llama2");
  const auto all = generate(model, {{5, 9}}, {.max_new_tokens = 8})[0];
  const auto first = static_cast<size_t>(std::ranges::find(all, all[3]) - all.begin());
  EXPECT_EQ(generate(model, {{5, 9}}, {.max_new_tokens = 8, .stop_tokens = {all[3]}})[0].size(),
            first);
  model.config.max_position_embeddings = 6;
  EXPECT_EQ(generate(model, {{5, 9}}, {.max_new_tokens = 8})[0].size(), 4);
}

TEST(StopTokens, ComeFromTheGenerationConfigBeforeTheConfig) {
  const ScratchFolder scratch;
  const auto with = [&](const std::string& generation_config) {
    std::filesystem::copy(
        test::model_folder("llama2"),
        scratch.path(),
        std::filesystem::copy_options::recursive | std::filesystem::copy_options::update_existing);
    std::ofstream(scratch / "generation_config.json") << generation_config;
    return Checkpoint::open(scratch.path());
  };
  EXPECT_EQ(stop_tokens(with(R"({"eos_token_id": [7, 8]})")), (std::vector<int64_t>{7, 8}));
  EXPECT_EQ(stop_tokens(with(R"({"eos_token_id": 9})")), (std::vector<int64_t>{9}));
  EXPECT_EQ(stop_tokens(with("{}")), (std::vector<int64_t>{2}));
  EXPECT_EQ(message_of([&] { stop_tokens(with(R"({"eos_token_id": "x"})")); }),
            (scratch / "generation_config.json").string() +
                ": eos_token_id: found \"x\", expected a token id or a list of them");
}

TEST(LoadCausalLm, ConvertsToTheDtypeAskedFor) {
  const CausalLM model = test::load_tiny("qwen2");
  const CausalLM rounded = test::load_tiny("qwen2", at::kBFloat16);
  for (const ExpectedTensor& expected : expected_tensors(model.config)) {
    EXPECT_TRUE(
        at::equal(tensor_of(rounded, expected), tensor_of(model, expected).to(at::kBFloat16)));
  }
  EXPECT_TRUE(rounded.lm_head.is_same(rounded.embed_tokens));
}

TEST(LoadCausalLm, OutlivesTheCheckpointThatItMaps) {
  at::Tensor embedding;
  {
    embedding = test::load_tiny("llama2").embed_tokens;
  }
  EXPECT_TRUE(at::isfinite(embedding).all().item<bool>());
}

TEST(Model, RefusesTokensThatItHasNoRowFor) {
  const CausalLM model = test::load_tiny("llama2");
  const at::Tensor ids = at::full({1, 2}, model.config.vocab_size, at::kLong);
  EXPECT_EQ(message_of([&] { embed(model, ids); }),
            fmt::format("a text's tokens: found id {0}, expected ids below the model's vocab_size, "
                        "{0} (the tokenizer has added tokens that the embedding has no row for)",
                        model.config.vocab_size));
}

}  // namespace
}  // namespace slayer
