#include "slayer/train/parameter_groups.h"

#include <gtest/gtest.h>

#include "slayer/checkpoint/checkpoint.h"
#include "slayer/model/load.h"

#include "tests/support/error_message.h"

namespace slayer {
namespace {

/// Layer 1 of four is new.
SurgeryRecord record_with_a_new_layer() {
  const std::vector<PlannedLayer> layers{{.from = {0}},
                                         {.from = {0}, .zero_output = true, .train = true},
                                         {.from = {1}},
                                         {.from = {2}}};
  return {.plan = {.source_layers = 3, .layers = layers}, .source = "base", .version = "0.1.0"};
}

TEST(ParameterGroups, AreParsedWithTheirFactors) {
  EXPECT_EQ(parse_lr_scale("new=2.5"), (std::pair<std::string, double>("new", 2.5)));
  for (const char* text :
       {"new", "new=", "new=x", "new=-1", "new=1e4", "norms=2", "=1", "new=1x"}) {
    EXPECT_EQ(message_of([&] { parse_lr_scale(text); }),
              std::string("--lr-scale: found \"") + text +
                  "\", expected GROUP=FACTOR, the group one of new, old, embeddings, lora-a, "
                  "lora-b, the factor from 0 to 1000");
  }
}

TEST(ParameterGroups, FollowFromWhatTrains) {
  using Groups = std::set<std::string>;
  const SurgeryRecord record = record_with_a_new_layer();
  EXPECT_EQ(parameter_groups({.layers = {1}}, record), (Groups{"new"}));
  EXPECT_EQ(parameter_groups({.layers = {1, 3}}, record), (Groups{"new", "old"}));
  EXPECT_EQ(parameter_groups({.layers = {1}}, std::nullopt), (Groups{"old"}));
  EXPECT_EQ(parameter_groups({.layers = {0, 1}, .has_all = true}, std::nullopt),
            (Groups{"embeddings", "old"}));
  EXPECT_EQ(parameter_groups({.layers = {1}, .lora = LoraOptions{.rank = 1}}, record),
            (Groups{"lora-a", "lora-b"}));
  EXPECT_EQ(message_of([] { validate(LrScales{{"new", 1.0}}, {"embeddings", "old"}); }),
            "--lr-scale: found new, expected a group that trains here: embeddings, old");
}

TEST(ParameterGroups, GiveEachParameterItsFactor) {
  CausalLM model =
      load_causal_lm(Checkpoint::open(SLAYER_FIXTURES "/models/llama3"), at::kFloat, at::kCPU);
  std::vector<TrainableParameter> parameters =
      make_trainable(model, {.layers = {0, 1, 2, 3}, .has_all = true}, /*seed=*/0);
  apply_lr_scales({{"new", 2.0}, {"embeddings", 0.5}}, record_with_a_new_layer(), parameters);
  for (const TrainableParameter& parameter : parameters) {
    const bool is_embedding =
        parameter.name == "model.embed_tokens.weight" || parameter.name == "lm_head.weight";
    const double expected = parameter.layer == 1 ? 2.0 : is_embedding ? 0.5 : 1.0;
    EXPECT_EQ(parameter.lr_scale, expected) << parameter.name;
  }
}

}  // namespace
}  // namespace slayer
