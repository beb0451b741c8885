#include "slayer/train/method.h"

#include <gtest/gtest.h>

#include "tests/support/error_message.h"
#include "tests/support/training_checkpoint.h"

namespace slayer {
namespace {

std::string refusal(const MethodOptions& options) {
  return message_of([&] { validate(options); });
}

Checkpoint smollm() { return Checkpoint::open(SLAYER_FIXTURES "/models/smollm"); }

TEST(Method, HasAName) {
  for (const char* name : {"plan", "last-k", "layers", "full", "lora"}) {
    EXPECT_EQ(name_of(method_from_name(name)), name);
  }
  EXPECT_EQ(message_of([] { method_from_name("prefix"); }),
            "--method: found \"prefix\", expected plan, last-k, layers, full or lora");
}

TEST(Method, TakesOnlyItsOwnOptions) {
  EXPECT_EQ(refusal({.last_k = 2}), "--last-k: found --method plan, expected --method last-k");
  EXPECT_EQ(refusal({.method = Method::kFull, .layers = {1}}),
            "--layers: found --method full, expected --method layers");
  EXPECT_EQ(refusal({.lora_rank = 2}), "--lora-rank: found --method plan, expected --method lora");
  EXPECT_EQ(refusal({.lora_alpha = 2}),
            "--lora-alpha: found --method plan, expected --method lora");
  EXPECT_EQ(refusal({.lora_targets = {"q_proj"}}),
            "--lora-targets: found --method plan, expected --method lora");
  EXPECT_EQ(refusal({.adapter = "a"}), "--adapter: found --method plan, expected --method lora");
}

TEST(Method, NamesTheValueThatNoTrainingCouldFollow) {
  EXPECT_EQ(refusal({.method = Method::kLastK}),
            "--last-k: found nothing, expected how many of the last layers train, at least 1");
  EXPECT_EQ(refusal({.method = Method::kLastK, .last_k = 0}),
            "--last-k: found 0, expected how many of the last layers train, at least 1");
  EXPECT_EQ(refusal({.method = Method::kLayers}),
            "--layers: found nothing, expected the layers that train, numbered from 0: --layers "
            "3,7");
  EXPECT_EQ(refusal({.method = Method::kLora, .lora_rank = 0}),
            "--lora-rank: found 0, expected from 1 to 65536");
  EXPECT_EQ(refusal({.method = Method::kLora, .lora_alpha = 0.0}),
            "--lora-alpha: found 0, expected a number above 0");
  EXPECT_EQ(
      refusal({.method = Method::kLora, .lora_targets = {"lm_head"}}),
      "--lora-targets: found \"lm_head\", expected q_proj, k_proj, v_proj, o_proj, gate_proj, "
      "up_proj, down_proj, or all-linear");
}

TEST(Method, FillsWhatIsLeftOpenOfLora) {
  const MethodOptions chosen = resolve(MethodOptions{.method = Method::kLora});
  EXPECT_EQ(chosen.lora_rank, 64);
  EXPECT_EQ(chosen.lora_alpha, 128.0);
  EXPECT_EQ(chosen.lora_targets.size(), 7U);
  const MethodOptions given = resolve(MethodOptions{
      .method = Method::kLora, .lora_rank = 4, .lora_targets = {"v_proj", "q_proj", "v_proj"}});
  EXPECT_EQ(given.lora_alpha, 8.0);
  EXPECT_EQ(given.lora_targets, (std::vector<std::string>{"q_proj", "v_proj"}));
}

TEST(Method, TakesRankAlphaAndTargetsFromTheAdapter) {
  const std::string adapter = SLAYER_FIXTURES "/training/adapter";
  const MethodOptions taken = resolve(MethodOptions{.method = Method::kLora, .adapter = adapter});
  EXPECT_EQ(taken.lora_rank, 2);
  EXPECT_EQ(taken.lora_alpha, 6.0);
  const auto differing = [&](MethodOptions options) {
    options.method = Method::kLora;
    options.adapter = adapter;
    return message_of([&] { resolve(options); });
  };
  EXPECT_EQ(differing({.lora_rank = 4}),
            "--lora-rank: found 4, expected 2, as in the adapter, or nothing");
  EXPECT_EQ(differing({.lora_alpha = 4}),
            "--lora-alpha: found 4, expected 6, as in the adapter, or nothing");
  EXPECT_EQ(differing({.lora_targets = {"q_proj"}}),
            "--lora-targets: found q_proj, expected "
            "q_proj,k_proj,v_proj,o_proj,gate_proj,up_proj,down_proj, as in the adapter, or "
            "nothing");
}

TEST(TrainableSet, FollowsTheMethod) {
  const Checkpoint checkpoint = smollm();
  const auto layers = [&](const MethodOptions& options) {
    return trainable_set(resolve(options), checkpoint, std::nullopt).layers;
  };
  EXPECT_EQ(layers({.method = Method::kLastK, .last_k = 3}), (std::vector<int64_t>{1, 2, 3}));
  EXPECT_EQ(layers({.method = Method::kLayers, .layers = {2, 0}}), (std::vector<int64_t>{0, 2}));
  EXPECT_TRUE(trainable_set({.method = Method::kFull}, checkpoint, std::nullopt).has_all);
  EXPECT_TRUE(trainable_set(resolve({.method = Method::kLora}), checkpoint, std::nullopt).lora);
  EXPECT_EQ(message_of([&] { layers({.method = Method::kLastK, .last_k = 5}); }),
            "--last-k: found 5, expected at most the model's 4 layers");
  EXPECT_EQ(message_of([&] { layers({.method = Method::kLayers, .layers = {4}}); }),
            "--layers: found 4, expected layers from 0 to 3");
  EXPECT_EQ(message_of([&] { layers({.method = Method::kLayers, .layers = {1, 1}}); }),
            "--layers: found 1 twice, expected each layer once");
}

TEST(TrainableSet, IsKnownFromAPlanAlone) {
  const Plan plan = training_plan(4, {1, 3});
  EXPECT_EQ(trainable_set({}, plan).layers, (std::vector<int64_t>{1, 3}));
  EXPECT_TRUE(trainable_set({}, training_plan(4, {})).layers.empty());
  EXPECT_EQ(trainable_set({.method = Method::kLastK, .last_k = 1}, plan).layers,
            (std::vector<int64_t>{3}));
  EXPECT_EQ(message_of([&] { trainable_set({.method = Method::kLayers, .layers = {4}}, plan); }),
            "--layers: found 4, expected layers from 0 to 3");
}

TEST(TrainableSet, CountsItsParameters) {
  const ModelConfig config = smollm().config();
  const int64_t one = parameters_per_layer(config);
  EXPECT_EQ(trained_parameters({.layers = {1, 3}}, config), 2 * one);
  EXPECT_EQ(trained_parameters({.layers = {0, 1, 2, 3}, .has_all = true}, config),
            parameter_count(config));
  // q_proj is 24 x 24.
  EXPECT_EQ(trained_parameters({.layers = {0, 1},
                                .lora = LoraOptions{.rank = 8, .alpha = 16, .targets = {"q_proj"}}},
                               config),
            2 * 8 * (24 + 24));
}

TEST(TrainableSet, IsDescribedInWords) {
  EXPECT_EQ(describe({.layers = {1, 3}}), "layers 1, 3");
  EXPECT_EQ(describe({.layers = {0}, .has_all = true}), "all weights");
  EXPECT_EQ(
      describe({.layers = {0, 1},
                .lora = LoraOptions{.rank = 8, .alpha = 16, .targets = {"q_proj", "v_proj"}}}),
      "rank 8 (alpha 16) beside q_proj, v_proj of 2 layers");
}

}  // namespace
}  // namespace slayer
