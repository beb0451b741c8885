#include "slayer/probe/auto_plan.h"

#include <cmath>
#include <gtest/gtest.h>

#include "tests/support/error_message.h"
#include "tests/support/tiny_checkpoint.h"

namespace slayer {
namespace {

ModelConfig config_of(int64_t layers) {
  Json json = tiny_llama_config();
  json["num_hidden_layers"] = layers;
  return parse_model_config(json, "config.json");
}

Json removal_of(const std::vector<double>& dips) {
  Json layers = Json::array();
  for (const double dip : dips) {
    layers.push_back({{"layer", layers.size()}, {"loss", 2.0 + dip}, {"dip", dip}});
  }
  return {{"span", 1}, {"layers", layers}};
}

Json probe_of(const std::vector<double>& dips) {
  return {{"format", 1},
          {"model", "0123456789abcdef"},
          {"layers", dips.size()},
          {"remove", removal_of(dips)}};
}

/// Importance that falls with depth, and a tail that hardly matters.
std::vector<double> falling(int64_t layers) {
  std::vector<double> dips;
  for (int64_t layer = 0; layer < layers; ++layer) {
    dips.push_back(2.0 * std::exp(-0.15 * static_cast<double>(layer)));
  }
  return dips;
}

AutoPlan plan_of(const Json& probe, const AutoPlanOptions& options) {
  return auto_plan(
      probe, "probe.json", config_of(probe["layers"].get<int64_t>()), "0123456789abcdef", options);
}

std::vector<int64_t> places_of(const Plan& plan) {
  std::vector<int64_t> places;
  for (const PlannedLayer& layer : plan.layers) {
    if (layer.zero_output) {
      places.push_back(layer.from.front());
    }
  }
  return places;
}

TEST(AutoPlan, IsThePapersForFallingImportance) {
  const AutoPlan made = plan_of(probe_of(falling(32)), {.new_layers = 8, .prune = 2});
  Plan paper = slayer_plan(32, 2, 0.5, {.layers = {30, 31}, .mode = PruneMode::kCollapse});
  EXPECT_EQ(made.plan.layers, paper.layers);
  EXPECT_EQ(made.plan.layers.size(), 38U);
  EXPECT_EQ(places_of(made.plan), (std::vector<int64_t>{1, 3, 5, 7, 9, 11, 13, 15}));
  EXPECT_EQ(made.plan.layers.back(),
            (PlannedLayer{.from = {29, 30, 31}, .init = Init::kCollapse, .train = true}));
  EXPECT_EQ(made.plan.strategy, "auto");
  EXPECT_EQ(made.plan.source_hash, "0123456789abcdef");
  EXPECT_FALSE(made.is_measured);
  ASSERT_EQ(made.reasons.size(), 9U);
  EXPECT_EQ(made.reasons[0],
            "prune 30, 31 (absorbed by the layer before): cheapest alone on general text, +0.041 "
            "nats per token as the sum of each; not measured together (slayer probe --prune)");
  EXPECT_EQ(made.reasons[1],
            "new after 1: layers 0 and 1 cost 3.721 nats per token of the domain when removed");
}

TEST(AutoPlan, TakesThePapersSizesFromItsBudget) {
  // Llama-2-7B's shape: 7.95 of 6.74 billion parameters.
  Json json = tiny_llama_config();
  json.update({{"vocab_size", 32000},
               {"hidden_size", 4096},
               {"intermediate_size", 11008},
               {"num_hidden_layers", 32},
               {"num_attention_heads", 32},
               {"num_key_value_heads", 32}});
  const AutoPlan made = auto_plan(probe_of(falling(32)),
                                  "probe.json",
                                  parse_model_config(json, "config.json"),
                                  "0123456789abcdef",
                                  {.budget = 1.18});
  EXPECT_EQ(made.plan.layers.size(), 38U);
  EXPECT_EQ(places_of(made.plan).size(), 8U);
  EXPECT_EQ(made.reasons[0],
            "budget 1.18: 6 layers more than the base, so 8 new and 2 pruned (as many as cost at "
            "most 0.05 nats per token together, up to 2)");
}

TEST(AutoPlan, PrunesWhatWasMeasuredTogether) {
  Json probe = probe_of(falling(8));
  probe["prune"]["steps"] = {
      {{"count", 1}, {"layers", {7}}, {"dip", 0.2}},
      {{"count", 2}, {"layers", {3, 5}}, {"dip", 0.3}, {"collapse", {{"dip", 0.25}}}}};
  const AutoPlan made = plan_of(probe, {.new_layers = 1, .prune = 2});
  EXPECT_TRUE(made.is_measured);
  EXPECT_DOUBLE_EQ(made.prune_cost, 0.25);
  EXPECT_EQ(
      made.reasons[0],
      "prune 3, 5 (absorbed by the layer before): of the sets of 2 that were tried the cheapest "
      "on general text, +0.250 nats per token before training");
  const AutoPlan dropped = plan_of(probe, {.new_layers = 1, .prune = 2, .mode = PruneMode::kDrop});
  EXPECT_DOUBLE_EQ(dropped.prune_cost, 0.3);
  const AutoPlan one = plan_of(probe, {.new_layers = 0, .prune = 1});
  EXPECT_EQ(one.plan.layers.size(), 7U);
  EXPECT_DOUBLE_EQ(one.prune_cost, 0.2);
}

TEST(AutoPlan, InsertsForTheDomainAndPrunesForTheGeneralText) {
  const Json probe{{"format", 1},
                   {"model", "0123456789abcdef"},
                   {"layers", 6},
                   {"domain", {{"remove", removal_of({0.1, 0.1, 0.1, 3, 2, 0.1})}}},
                   {"general", {{"remove", removal_of({1, 0.01, 1, 1, 1, 1})}}}};
  const AutoPlan made = plan_of(probe, {.new_layers = 1, .prune = 1});
  EXPECT_EQ(places_of(made.plan), (std::vector<int64_t>{4}));
  EXPECT_EQ(dropped_layers(made.plan), (std::vector<int64_t>{0, 1}));  // 0 absorbs 1.
}

TEST(AutoPlan, TakesTheOtherSectionWhereOneHasTasksOnly) {
  const Json probe{{"format", 1},
                   {"model", "0123456789abcdef"},
                   {"layers", 4},
                   {"domain", {{"tasks", {{"qa", Json::object()}}}}},
                   {"general", {{"remove", removal_of({1, 4, 2, 3})}}}};
  EXPECT_EQ(places_of(plan_of(probe, {.new_layers = 1}).plan), (std::vector<int64_t>{2}));
  Json tasks_only = probe;
  tasks_only.erase("general");
  EXPECT_EQ(message_of([&] { plan_of(tasks_only, {.new_layers = 1}); }),
            "probe.json: domain.remove: found tasks only, expected a removal sweep on text (slayer "
            "probe --method remove)");
}

TEST(AutoPlan, PutsBlocksAfterSingleLayersWherePairsDoNotReach) {
  const AutoPlan made = plan_of(probe_of({4, 3, 2, 1}), {.new_layers = 3, .prune = 0});
  EXPECT_EQ(places_of(made.plan), (std::vector<int64_t>{0, 1, 2}));
  EXPECT_EQ(made.reasons[0],
            "new after 0: it costs 4.000 nats per token of the domain when removed");
}

TEST(AutoPlan, PlacesPairsForTheLargestSumNotOneByOne) {
  // One by one 1-2 would go first, and leave 0 and 3 without a pair.
  const AutoPlan made = plan_of(probe_of({5, 6, 6, 5, 0, 0}), {.new_layers = 2, .prune = 0});
  EXPECT_EQ(places_of(made.plan), (std::vector<int64_t>{1, 3}));
}

TEST(AutoPlan, HasItsSizesBeforeThereIsAProbe) {
  const Plan outline = outline_auto_plan(config_of(32), {.new_layers = 8, .prune = 2});
  EXPECT_EQ(outline.layers.size(), 38U);
  EXPECT_EQ(places_of(outline).size(), 8U);
  // Llama's last two, as the paper has it; of equal places the shallow ones.
  EXPECT_EQ(outline.layers.back().from, (std::vector<int64_t>{29, 30, 31}));
  EXPECT_EQ(places_of(outline).front(), 1);
  const AutoPlanOptions budget{.budget = 1.5};
  EXPECT_EQ(outline_auto_plan(config_of(8), budget).layers.size(),
            plan_of(probe_of(falling(8)), budget).plan.layers.size());
  EXPECT_EQ(message_of([] { outline_auto_plan(config_of(4), {.new_layers = 5}); }),
            "new layers: found 5, expected 0 to 4, one for each kept layer at most");
}

TEST(AutoPlan, RefusesWhatDoesNotFit) {
  const Json probe = probe_of(falling(4));
  EXPECT_EQ(message_of([&] {
              auto_plan(probe, "probe.json", config_of(4), "ffffffffffffffff", {.new_layers = 1});
            }),
            "probe.json: model: found hash 0123456789ab..., expected ffffffffffff..., the model's "
            "(probe this model: slayer probe)");
  EXPECT_EQ(message_of([&] { plan_of(probe, {.new_layers = 5}); }),
            "new layers: found 5, expected 0 to 4, one for each kept layer at most");
  EXPECT_EQ(message_of([&] { plan_of(probe, {.prune = 4}); }),
            "layers to prune: found 4, expected 0 to 3");
  EXPECT_EQ(message_of([&] { plan_of(probe, {.budget = 9.0}); }).substr(0, 71),
            "budget 9: new layers: found 34, expected 0 to 4, one for each kept laye");
  EXPECT_EQ(
      message_of([&] { plan_of(probe, {.new_layers = 1, .prune = 1, .budget = 1.1}); }),
      "budget: found the numbers of new layers and of layers to prune beside it, expected one "
      "of the two at most; the budget gives the other");
  Json spans = probe;
  spans["remove"]["span"] = 2;
  EXPECT_EQ(message_of([&] { plan_of(spans, {.new_layers = 1}); }),
            "probe.json: remove.span: found several layers removed at a time, expected 1");
  Json none = probe;
  none.erase("remove");
  EXPECT_EQ(message_of([&] { plan_of(none, {.new_layers = 1}); }),
            "probe.json: remove: found nothing, expected a removal sweep on text (slayer probe "
            "--method remove)");
  Json short_one = probe;
  short_one["remove"]["layers"].erase(3);
  EXPECT_EQ(message_of([&] { plan_of(short_one, {.new_layers = 1}); }),
            "probe.json: remove.layers: found 3 layers, expected 4");
  Json wrong = probe;
  wrong["prune"]["steps"] = {{{"layers", {9}}, {"dip", 1.0}}};
  EXPECT_EQ(message_of([&] { plan_of(wrong, {.prune = 1}); }),
            "probe.json: prune.steps[0].layers: found 9, expected layers from 0 to 3");
  wrong["prune"]["steps"] = {{{"layers", {1, 2}}, {"dip", 1.0}}};
  EXPECT_EQ(message_of([&] { plan_of(wrong, {.prune = 1}); }),
            "probe.json: prune.steps[0].layers: found 2 layers, expected 1");
}

}  // namespace
}  // namespace slayer
