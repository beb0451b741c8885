#include "slayer/recipe/variants.h"

#include <gtest/gtest.h>

#include "slayer/core/toml.h"

#include "tests/support/error_message.h"

namespace slayer {
namespace {

std::vector<RecipeVariant> variants_of(const std::string& text) {
  const Json json = parse_toml("base = \"b\"\n[plan]\nevery = 2\n[train]\nseed = 1\n" + text, "r");
  return expand_variants(JsonObject(json, "r"));
}

std::string message(const std::string& text) {
  return message_of([&] { variants_of(text); });
}

TEST(Variants, AreNoneInAPlainRecipe) { EXPECT_TRUE(variants_of("").empty()); }

TEST(Variants, ChangeTheirKeysAndKeepTheOthers) {
  const auto variants = variants_of(
      "[variants.slayer]\n"
      "[variants.pro.plan]\nstrategy = \"llama-pro\"\n");
  ASSERT_EQ(variants.size(), 2U);
  EXPECT_EQ(variants[0].name, "slayer");
  EXPECT_EQ(variants[0].json,
            (Json{{"base", "b"}, {"plan", {{"every", 2}}}, {"train", {{"seed", 1}}}}));
  EXPECT_EQ(variants[1].name, "pro");
  EXPECT_EQ(variants[1].json["plan"], (Json{{"every", 2}, {"strategy", "llama-pro"}}));
}

TEST(Variants, MultiplyByTheMatrix) {
  const auto variants = variants_of(
      "[variants.a]\n[variants.b.plan]\nevery = 3\n"
      "[matrix]\ntrain.seed = [1, 2]\ntrain.lr = [1e-4]\n");
  ASSERT_EQ(variants.size(), 4U);
  EXPECT_EQ(variants[0].name, "a-seed-1-lr-0.0001");
  EXPECT_EQ(variants[3].name, "b-seed-2-lr-0.0001");
  EXPECT_EQ(variants[3].json["train"], (Json{{"seed", 2}, {"lr", 1e-4}}));
}

TEST(Variants, MayBeAMatrixAlone) {
  const auto variants = variants_of("[matrix]\nplan.strategy = [\"slayer\", \"llama-pro\"]\n");
  ASSERT_EQ(variants.size(), 2U);
  EXPECT_EQ(variants[1].name, "strategy-llama-pro");
}

TEST(Variants, RefuseWhatTheyCannotBe) {
  EXPECT_EQ(message("[variants.a.evl]\nlimit = 1"),
            "r: variants.a.evl: found an unknown key, expected one of plan, train, sft");
  EXPECT_EQ(message("[variants.\"a/b\"]"),
            "r: variants.a/b: found this name, expected letters, digits, '.', '_' and '-'");
  EXPECT_EQ(message("[matrix]\ntrain.seed = []"),
            "r: matrix.train.seed: found an empty list, expected at least one value");
  EXPECT_EQ(message("[variants.a]\n[variants.b]"),
            "r: variants: found a and b alike, expected differences");
}

}  // namespace
}  // namespace slayer
