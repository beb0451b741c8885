#include "slayer/surgery/compose.h"

#include <gtest/gtest.h>

#include "slayer/surgery/strategies.h"

#include "tests/support/error_message.h"

namespace slayer {
namespace {

PlannedLayer copy_of(int64_t source_layer) { return {.from = {source_layer}}; }

PlannedLayer block_of(int64_t source_layer) {
  return {.from = {source_layer}, .zero_output = true, .train = true};
}

/// "b0" for a layer of the base, "p1:3" for target layer 3 of pack 1.
std::string places(const Composition& composition) {
  std::string text;
  for (const ComposedLayer& layer : composition.layers) {
    text += text.empty() ? "" : " ";
    if (layer.pack) {
      text += "p" + std::to_string(*layer.pack) + ":";
    } else {
      text += "b";
    }
    text += std::to_string(layer.layer);
  }
  return text;
}

TEST(Compose, TakesASinglePackAsItIs) {
  const Plan plan = solar_plan(4, 2);
  const Composition composition = compose({{.pack = "a", .plan = plan}});
  EXPECT_EQ(composition.plan, plan);
  EXPECT_EQ(places(composition), "p0:0 p0:1 p0:2 p0:3 p0:4 p0:5");
}

TEST(Compose, PutsNewLayersInPlaceInTheOrderOfThePacks) {
  const Plan code{.source_layers = 3,
                  .source_hash = "h",
                  .layers = {block_of(0), copy_of(0), block_of(0), copy_of(1), copy_of(2)}};
  Plan law{.source_layers = 3,
           .source_hash = "h",
           .layers = {copy_of(0), block_of(0), copy_of(1), copy_of(2), block_of(2)}};
  const Composition composition =
      compose({{.pack = "code", .plan = code}, {.pack = "law", .plan = law}});
  EXPECT_EQ(places(composition), "p0:0 b0 p0:2 p1:1 b1 b2 p1:4");
  EXPECT_EQ(composition.plan.strategy, "composed");
  EXPECT_EQ(composition.plan.source_hash, "h");
  validate(composition.plan, "plan");
  EXPECT_TRUE(is_identity(composition.plan));

  law.layers[3].train = true;  // the last layer of the base, trained by one pack only
  EXPECT_EQ(places(compose({{.pack = "code", .plan = code}, {.pack = "law", .plan = law}})),
            "p0:0 b0 p0:2 p1:1 b1 p1:3 p1:4");
}

TEST(Compose, RefusesPacksThatConflict) {
  const auto message_of_packs = [](const Plan& a, const Plan& b) {
    return message_of([&] { compose({{.pack = "a", .plan = a}, {.pack = "b", .plan = b}}); });
  };
  const Plan slayer = slayer_plan(4, 2, 0.5, {});
  EXPECT_EQ(message_of_packs(slayer, slayer),
            "b: layer 3 of the base: found trained by it and by a, expected at most one pack to "
            "train it");
  const Plan pruned = prune_plan(4, {.layers = {3}});
  EXPECT_EQ(message_of_packs(llama_pro_plan(4, 1), pruned),
            "b: layer 3 of the base: found deleted here, kept by a, expected packs that delete the "
            "same layers");
  const Plan reordered{.source_layers = 2, .layers = {copy_of(1), copy_of(0), block_of(0)}};
  EXPECT_EQ(message_of_packs(reordered, reordered),
            "a: layer 0: found it after layer 1, expected the base's layers in their order (a pack "
            "that reorders layers cannot be composed with others)");
}

}  // namespace
}  // namespace slayer
