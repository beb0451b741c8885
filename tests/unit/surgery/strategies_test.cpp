#include "slayer/surgery/strategies.h"

#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include "tests/support/error_message.h"

namespace slayer {
namespace {

/// The plan as a line: "0 [0+1]* 2!" is a copy, an identity block from 0 and 1 that trains, a copy
/// that trains; "1<2" is 1 absorbing 2.
std::string sketch(const Plan& plan) {
  std::vector<std::string> words;
  for (const PlannedLayer& layer : plan.layers) {
    const std::string sources =
        fmt::format("{}", fmt::join(layer.from, layer.init == Init::kCollapse ? "<" : "+"));
    words.push_back(fmt::format(
        "{}{}", layer.zero_output ? "[" + sources + "]" : sources, layer.train ? "!" : ""));
  }
  return fmt::format("{}", fmt::join(words, " "));
}

std::vector<int64_t> layers_before_new_ones(const Plan& plan) {
  std::vector<int64_t> layers;
  for (const PlannedLayer& layer : plan.layers) {
    if (layer.zero_output) {
      layers.push_back(layer.from.front());
    }
  }
  return layers;
}

TEST(SlayerPlan, IsThePapersForThirtyTwoLayers) {
  const Plan plan = slayer_plan(32, 2, 0.5, {.layers = last_layers(32, 2)});
  EXPECT_EQ(sketch(plan),
            "0 1 [1+2]! 2 3 [3+4]! 4 5 [5+6]! 6 7 [7+8]! 8 9 [9+10]! 10 11 [11+12]! 12 13 "
            "[13+14]! 14 15 [15+16]! 16 17 18 19 20 21 22 23 24 25 26 27 28 29!");
  EXPECT_EQ(plan.layers.size(), 38U);
  EXPECT_EQ(plan.strategy, "slayer");
  EXPECT_EQ(plan.source_layers, 32);
}

TEST(SlayerPlan, CollapsesTheDeletedLayersIntoTheLastKept) {
  const Plan plan =
      slayer_plan(32, 2, 0.5, {.layers = last_layers(32, 2), .mode = PruneMode::kCollapse});
  EXPECT_EQ(plan.layers.back(),
            (PlannedLayer{.from = {29, 30, 31}, .init = Init::kCollapse, .train = true}));
}

TEST(SlayerPlan, TakesOddCounts) {
  const Plan smollm = slayer_plan(30, 2, 0.5, {});
  EXPECT_EQ(layers_before_new_ones(smollm), (std::vector<int64_t>{1, 3, 5, 7, 9, 11, 13}));
  EXPECT_EQ(smollm.layers.size(), 37U);
  EXPECT_EQ(sketch(slayer_plan(5, 2, 0.5, {})), "0 1 [1+2]! 2 3 4!");
  EXPECT_EQ(sketch(slayer_plan(3, 1, 1.0, {})), "0 [0+1]! 1 [1+2]! 2! [2]!");
  EXPECT_EQ(slayer_plan(100, 1, 0.29, {}).layers.size(), 129U) << "0.29 * 100 is 28.999...";
}

TEST(SlayerPlan, PrunesInTheMiddle) {
  EXPECT_EQ(sketch(slayer_plan(6, 2, 0.5, {.layers = {4, 2}})), "0 1 [1+2]! 3 5!");
  EXPECT_EQ(sketch(slayer_plan(6, 2, 0.5, {.layers = {4, 2, 3}, .mode = PruneMode::kCollapse})),
            "0 1<2<3<4! [1+2]! 5!");
  EXPECT_EQ(sketch(slayer_plan(4, 2, 0.5, {.layers = {0, 1}})), "[1+2]! 2 3!");
}

TEST(SlayerPlan, RefusesOptionsThatMakeNoPlan) {
  EXPECT_EQ(message_of([] { slayer_plan(8, 0, 0.5, {}); }), "every: found 0, expected 1 to 8");
  EXPECT_EQ(message_of([] { slayer_plan(8, 2, 0.0, {}); }),
            "shallow: found 0, expected a share above 0, at most 1");
  EXPECT_EQ(message_of([] { slayer_plan(8, 3, 0.25, {}); }),
            "shallow: found 0.25, the first 2 of 8 layers, expected at least 3 layers to put a new "
            "one after");
  EXPECT_EQ(message_of([] { slayer_plan(8, 2, 0.5, {.layers = {8}}); }),
            "layer to prune: found 8, expected 0 to 7");
  EXPECT_EQ(message_of([] { slayer_plan(8, 2, 0.5, {.layers = {3, 3}}); }),
            "layer to prune: found 3 twice, expected each layer once");
  EXPECT_EQ(message_of([] { slayer_plan(2, 1, 0.5, {.layers = {0, 1}}); }),
            "layers to prune: found all 2 layers, expected at least one layer left");
  EXPECT_EQ(
      message_of([] { slayer_plan(8, 2, 0.5, {.layers = {0}, .mode = PruneMode::kCollapse}); }),
      "prune mode: found collapse of layer 0 with no kept layer before it, expected drop, or a "
      "kept layer before");
  EXPECT_EQ(message_of([] { last_layers(8, 8); }),
            "number of layers to prune: found 8, expected 0 to 7");
  EXPECT_EQ(message_of([] { prune_mode_from_name("fold"); }),
            "prune mode: found fold, expected drop or collapse");
}

TEST(PruneMode, HasTwoNames) {
  EXPECT_EQ(prune_mode_from_name("drop"), PruneMode::kDrop);
  EXPECT_EQ(prune_mode_from_name("collapse"), PruneMode::kCollapse);
}

TEST(LlamaProPlan, FollowsEachGroupWithACopyOfItsLastLayer) {
  EXPECT_EQ(layers_before_new_ones(llama_pro_plan(32, 8)),
            (std::vector<int64_t>{3, 7, 11, 15, 19, 23, 27, 31}));
  EXPECT_EQ(sketch(llama_pro_plan(4, 2)), "0 1 [1]! 2 3 [3]!");
}

TEST(LlamaProPlan, SpreadsEvenlyWhereItDoesNotDivide) {
  EXPECT_EQ(layers_before_new_ones(llama_pro_plan(30, 8)),
            (std::vector<int64_t>{2, 6, 10, 14, 17, 21, 25, 29}));
  EXPECT_EQ(sketch(llama_pro_plan(3, 3)), "0 [0]! 1 [1]! 2 [2]!");
  EXPECT_EQ(message_of([] { llama_pro_plan(3, 4); }),
            "number of new layers: found 4, expected 1 to 3");
}

TEST(SolarPlan, OverlapsTwoCopies) {
  EXPECT_EQ(solar_plan(32, 16).layers.size(), 48U);
  EXPECT_EQ(sketch(solar_plan(4, 2)), "0! 1! 2! 1! 2! 3!");
  EXPECT_EQ(sketch(solar_plan(4, 1)), "0! 1! 2! 2! 3!");
  EXPECT_EQ(sketch(solar_plan(2, 2)), "0! 1! 0! 1!");
  EXPECT_EQ(message_of([] { solar_plan(4, 5); }), "number of new layers: found 5, expected 1 to 4");
}

TEST(PrunePlan, DeletesOnly) {
  EXPECT_EQ(sketch(prune_plan(4, {.layers = {2}})), "0 1 3!");
  EXPECT_EQ(sketch(prune_plan(4, {.layers = {2}, .mode = PruneMode::kCollapse})), "0 1<2! 3!");
  EXPECT_EQ(message_of([] { prune_plan(4, {}); }),
            "layers to prune: found none, expected at least one");
}

TEST(PassthroughPlan, PutsRangesOneAfterTheOther) {
  EXPECT_EQ(sketch(passthrough_plan(4, "0:3,1:4")), "0 1 2 1! 2! 3");
  EXPECT_EQ(sketch(passthrough_plan(4, "2:4")), "2 3");
}

TEST(PassthroughPlan, RefusesOtherRanges) {
  const auto message_of_ranges = [](std::string_view ranges) {
    return message_of([&] { passthrough_plan(4, ranges); });
  };
  EXPECT_EQ(message_of_ranges("0-3"), "ranges: found \"0-3\", expected BEGIN:END, such as 0:24");
  EXPECT_EQ(message_of_ranges("0:3,"), "ranges: found \"\", expected BEGIN:END, such as 0:24");
  EXPECT_EQ(message_of_ranges("0:3x"), "ranges: found \"0:3x\", expected BEGIN:END, such as 0:24");
  EXPECT_EQ(message_of_ranges("1:5"), "ranges: found 1:5, expected 0 <= BEGIN < END <= 4");
  EXPECT_EQ(message_of_ranges("-1:2"), "ranges: found -1:2, expected 0 <= BEGIN < END <= 4");
  EXPECT_EQ(message_of_ranges("2:2"), "ranges: found 2:2, expected 0 <= BEGIN < END <= 4");
}

}  // namespace
}  // namespace slayer
