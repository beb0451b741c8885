#include "slayer/surgery/plan.h"

#include <gtest/gtest.h>

#include "tests/support/error_message.h"

namespace slayer {
namespace {

PlannedLayer copy_of(int64_t source_layer) { return {.from = {source_layer}}; }

/// Three layers, a new one after the first, the last absorbed by the middle one.
Plan small_plan() {
  return {.strategy = "slayer",
          .source_layers = 3,
          .source_hash = "ab12",
          .layers = {copy_of(0),
                     {.from = {0, 1},
                      .init = Init::kAverage,
                      .weights = {0.25, 0.75},
                      .zero_output = true,
                      .train = true},
                     {.from = {1, 2}, .init = Init::kCollapse, .train = true}}};
}

/// The message of reading `layers` as the layers of a plan of 32 source layers.
std::string message_of_layers(const std::string& layers) {
  const std::string text =
      R"({"format": 1, "strategy": "x", "source": {"layers": 32}, "layers": )" + layers + "}";
  return message_of([&] { plan_from_json(parse_json(text, "p.json"), "p.json"); });
}

TEST(Plan, IsWrittenOneLayerALine) {
  EXPECT_EQ(plan_file_text(small_plan()),
            R"({
  "format": 1,
  "strategy": "slayer",
  "source": {"layers":3,"hash":"ab12"},
  "layers": [
    {"from":[0],"init":"copy","train":false},
    {"from":[0,1],"init":"average","weights":[0.25,0.75],"zero_output":true,"train":true},
    {"from":[1,2],"init":"collapse","train":true}
  ]
}
)");
}

TEST(Plan, ComesBackFromItsJson) {
  const Plan plan = small_plan();
  EXPECT_EQ(plan_from_json(plan_to_json(plan), "plan.json"), plan);
  EXPECT_EQ(plan_from_json(parse_json(plan_file_text(plan), "plan.json"), "plan.json"), plan);
}

TEST(Plan, MayLeaveOutWhatHasADefault) {
  const Plan plan = plan_from_json(
      parse_json(R"({"format": 1, "source": {"layers": 2}, "layers": [{"from": [1]}]})", "p.json"),
      "p.json");
  EXPECT_EQ(plan, (Plan{.strategy = "custom", .source_layers = 2, .layers = {copy_of(1)}}));
}

TEST(Plan, RefusesWhatNoModelCouldFollow) {
  EXPECT_EQ(message_of_layers(R"([{"from": [0]}, {"from": [32]}])"),
            "p.json: layers[1].from: found 32, expected a source layer from 0 to 31");
  EXPECT_EQ(message_of_layers(R"([{"from": [-1]}])"),
            "p.json: layers[0].from: found -1, expected a source layer from 0 to 31");
  EXPECT_EQ(message_of_layers(R"([{"from": [0, 1]}])"),
            "p.json: layers[0].from: found 2 layers, expected one, since init is copy");
  EXPECT_EQ(message_of_layers(R"([{"from": [], "init": "average"}])"),
            "p.json: layers[0].from: found 0 layers, expected 1 to 10000");
  EXPECT_EQ(message_of_layers(R"([{"from": [3, 3], "init": "collapse"}])"),
            "p.json: layers[0].from: found [3, 3], expected two or more different layers, since "
            "init is collapse");
  EXPECT_EQ(message_of_layers("[]"), "p.json: layers: found 0 layers, expected 1 to 10000");
}

TEST(Plan, RefusesWeightsThatDoNotFit) {
  EXPECT_EQ(message_of_layers(R"([{"from": [0], "weights": [1]}])"),
            "p.json: layers[0].weights: found weights with init copy, expected init average");
  EXPECT_EQ(message_of_layers(R"([{"from": [0, 1], "init": "average", "weights": [1]}])"),
            "p.json: layers[0].weights: found 1 weights, expected 2, one for each source layer");
  EXPECT_EQ(message_of_layers(R"([{"from": [0, 1], "init": "average", "weights": [1, 0.5]}])"),
            "p.json: layers[0].weights: found a sum of 1.5, expected a sum of 1");
}

TEST(Plan, RefusesJsonOfAnotherForm) {
  EXPECT_EQ(message_of_layers(R"([{"from": [0], "trian": true}])"),
            "p.json: layers[0].trian: found an unknown key, expected perhaps \"train\"");
  EXPECT_EQ(message_of_layers(R"([{"from": [0], "init": "mean"}])"),
            "p.json: layers[0].init: found mean, expected copy, average or collapse");
  EXPECT_EQ(message_of_layers(R"([{"from": ["a"]}])"),
            "p.json: layers[0].from: found \"a\", expected an array of integers");
  EXPECT_EQ(message_of_layers(R"([{"from": [0], "init": "average", "weights": ["a"]}])"),
            "p.json: layers[0].weights: found \"a\", expected an array of numbers");
  EXPECT_EQ(message_of_layers("[7]"), "p.json: layers[0]: found 7, expected a JSON object");
  const auto message_of_text = [](const std::string& text) {
    return message_of([&] { plan_from_json(parse_json(text, "p.json"), "p.json"); });
  };
  EXPECT_EQ(message_of_text(R"({"format": 2})"),
            "p.json: format: found 2, expected an integer from 1 to 1");
  EXPECT_EQ(message_of_text(R"({"format": 1, "source": {"layers": 0}, "layers": []})"),
            "p.json: source.layers: found 0, expected an integer from 1 to 10000");
}

TEST(Plan, WithoutSourceLayersIsRefused) {
  EXPECT_EQ(message_of([] { validate(Plan{.layers = {copy_of(0)}}, "--strategy"); }),
            "--strategy: source.layers: found 0, expected 1 to 10000");
}

TEST(Plan, KnowsWhatItDropsAndAdds) {
  const Plan plan = small_plan();
  EXPECT_EQ(dropped_layers(plan), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(layer_origins(plan), (std::vector<int64_t>{0, 0, 1}));
  EXPECT_EQ(new_layers(plan), (std::vector<bool>{false, true, false}));
}

TEST(Plan, IsIdentityWhenEveryLayerIsKeptAndTheNewOnesAreBlocks) {
  Plan plan{.source_layers = 2, .layers = {copy_of(0), copy_of(1)}};
  EXPECT_TRUE(is_identity(plan));
  plan.layers.insert(plan.layers.begin() + 1, PlannedLayer{.from = {0}, .zero_output = true});
  EXPECT_TRUE(is_identity(plan));
  plan.layers[1].zero_output = false;
  EXPECT_FALSE(is_identity(plan)) << "a layer twice";
  EXPECT_FALSE(is_identity({.source_layers = 2, .layers = {copy_of(1), copy_of(0)}}));
  EXPECT_FALSE(is_identity({.source_layers = 2, .layers = {copy_of(0)}}));
  EXPECT_FALSE(is_identity(small_plan()));
}

TEST(Plan, TellsEachLayersOriginInWords) {
  EXPECT_EQ(describe_layers(small_plan()),
            (std::vector<std::string>{"copied 0",
                                      "new after 0: average of 0 (0.25) and 1 (0.75), zero output",
                                      "1 absorbs 2"}));
  const Plan plan{.source_layers = 4,
                  .layers = {{.from = {0}, .zero_output = true},
                             copy_of(1),
                             copy_of(1),
                             {.from = {1, 2, 3}, .init = Init::kAverage},
                             {.from = {1, 2}, .init = Init::kCollapse}}};
  EXPECT_EQ(describe_layers(plan),
            (std::vector<std::string>{"new at the start: copy of 0, zero output",
                                      "copied 1",
                                      "copied 1 again",
                                      "new after 1: average of 1, 2 and 3",
                                      "new after 1: 1 absorbs 2"}));
}

}  // namespace
}  // namespace slayer
