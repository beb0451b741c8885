#include "slayer/recipe/recipe.h"

#include <gtest/gtest.h>

#include "slayer/core/file.h"

#include "tests/support/error_message.h"
#include "tests/support/scratch_folder.h"

namespace slayer {
namespace {

constexpr const char* kRecipe = R"(
base = "base"
[plan]
every = 3
[train]
data = ["train.jsonl"]
steps = 7
[eval]
domain = ["train.jsonl"]
general = ["../elsewhere/general.txt"]
)";

class RecipeFile : public testing::Test {
 protected:
  RecipeFile() {
    write_text_file(folder_ / "recipes/train.jsonl", "{\"text\": \"a\"}\n");
    write_text_file(folder_ / "elsewhere/general.txt", "b");
  }

  Recipe read(const std::string& text) {
    write_text_file(path(), text);
    return read_recipe(path());
  }

  /// The message without the folder.
  std::string message(const std::string& text) {
    std::string message = message_of([&] { read(text); });
    const std::string folder = folder_.path().string() + "/";
    for (size_t at = 0; (at = message.find(folder)) != std::string::npos;) {
      message.erase(at, folder.size());
    }
    return message;
  }

  std::filesystem::path path() const { return folder_ / "recipes/r.toml"; }

  ScratchFolder folder_;
};

/// kRecipe with one line replaced.
std::string with(const std::string& line, const std::string& replacement) {
  std::string text = kRecipe;
  text.replace(text.find(line), line.size(), replacement);
  return text;
}

TEST_F(RecipeFile, TakesPathsFromItsOwnFolder) {
  const Recipe recipe = read(kRecipe);
  EXPECT_EQ(recipe.base, folder_ / "recipes/base");
  EXPECT_EQ(recipe.train.data, std::vector{(folder_ / "recipes/train.jsonl").string()});
  EXPECT_EQ(recipe.eval.general, std::vector{(folder_ / "elsewhere/general.txt").string()});
  EXPECT_EQ(recipe.plan.every, 3);
  EXPECT_EQ(recipe.train.steps, 7);
}

TEST_F(RecipeFile, RefusesUnknownKeysAndNamesTheNearest) {
  EXPECT_EQ(message(with("steps = 7", "stesp = 7")),
            "recipes/r.toml: train.stesp: found an unknown key, expected perhaps \"steps\"");
  EXPECT_EQ(message(with("base = \"base\"", "base = \"base\"\nplans = 1")),
            "recipes/r.toml: plans: found an unknown key, expected perhaps \"plan\"");
}

TEST_F(RecipeFile, RefusesValuesThatCannotBe) {
  EXPECT_EQ(message(with("every = 3", "strategy = \"slyer\"")),
            "recipes/r.toml: plan.strategy: found slyer, expected slayer, llama-pro, solar, prune "
            "or passthrough");
  EXPECT_EQ(message(with("every = 3", "prune = 1\nprune_layers = [2]")),
            "recipes/r.toml: plan.prune_layers: found both, expected prune or prune_layers");
  EXPECT_EQ(message(with("every = 3", "prune_layers = [\"2\"]")),
            "recipes/r.toml: plan.prune_layers: found \"2\", expected a list of whole numbers");
  EXPECT_EQ(message(with("domain = [\"train.jsonl\"]", "domain = [1]")),
            "recipes/r.toml: eval.domain: found 1, expected a list of texts");
  EXPECT_EQ(message(with("domain = [\"train.jsonl\"]", "domain = []")),
            "recipes/r.toml: eval.domain: found nothing, expected at least one file");
}

TEST_F(RecipeFile, RefusesWhatCannotBeExportedOrTested) {
  EXPECT_EQ(message(kRecipe + std::string("[export]\ngguf = [\"q2\"]")),
            "recipes/r.toml: export.gguf: found q2, expected f32, f16, bf16 or q8_0");
  EXPECT_EQ(message(kRecipe + std::string("[export]\npak = true")),
            "recipes/r.toml: export.pak: found an unknown key, expected perhaps \"pack\"");
  unsetenv("SLAYER_DATA_DIR");
  EXPECT_EQ(message(kRecipe + std::string("general_tasks = [\"arc_easy\"]")),
            "recipes/r.toml: eval.data_dir: found nothing, expected the folder of the tasks' data, "
            "here or in SLAYER_DATA_DIR");
}

TEST_F(RecipeFile, TakesTheTasksDataFromItsFolder) {
  const Recipe recipe = read(
      kRecipe + std::string("general_tasks = [\"arc_easy\"]\ndata_dir = \"../data\"\nlimit = 5"));
  EXPECT_EQ(recipe.eval.data_dir, folder_ / "data");
  EXPECT_EQ(recipe.eval.limit, 5);
}

TEST_F(RecipeFile, ReadsItsVariants) {
  const Recipe recipe = read(kRecipe + std::string("[variants.a]\n[variants.b.plan]\nevery = 4"));
  ASSERT_EQ(recipe.variants.size(), 2U);
  EXPECT_EQ(recipe.variants[0].variant, "a");
  EXPECT_EQ(recipe.variants[0].plan.every, 3);
  EXPECT_EQ(recipe.variants[1].plan.every, 4);
  EXPECT_EQ(message(kRecipe + std::string("[variants.a.plan]\nevry = 1")),
            "recipes/r.toml: variant a: plan.evry: found an unknown key, expected perhaps "
            "\"every\"");
}

TEST_F(RecipeFile, PutsItsNameToTheErrorsOfOtherModules) {
  EXPECT_TRUE(message(with("steps = 7", "lr = -1.0")).starts_with("recipes/r.toml: --lr: "));
  EXPECT_TRUE(message(with("every = 3", "prune_mode = \"melt\"")).starts_with("recipes/r.toml: "));
  EXPECT_TRUE(message(with("data = [\"train.jsonl\"]", "data = [\"gone.jsonl\"]"))
                  .starts_with("recipes/r.toml: recipes/gone.jsonl: "));
}

TEST(MakePlan, FollowsEachStrategy) {
  PlanRecipe recipe;
  EXPECT_EQ(make_plan(recipe, 8), slayer_plan(8, 2, 0.5, {}));
  recipe.prune = 1;
  EXPECT_EQ(make_plan(recipe, 8), slayer_plan(8, 2, 0.5, {.layers = {7}}));
  recipe.strategy = "prune";
  EXPECT_EQ(make_plan(recipe, 8), prune_plan(8, {.layers = {7}}));
  recipe.strategy = "llama-pro";
  recipe.new_layers = 4;
  EXPECT_EQ(make_plan(recipe, 8), llama_pro_plan(8, 4));
  recipe.strategy = "solar";
  EXPECT_EQ(make_plan(recipe, 8), solar_plan(8, 4));
  recipe.strategy = "passthrough";
  recipe.ranges = "0:6,2:8";
  EXPECT_EQ(make_plan(recipe, 8), passthrough_plan(8, "0:6,2:8"));
}

}  // namespace
}  // namespace slayer
