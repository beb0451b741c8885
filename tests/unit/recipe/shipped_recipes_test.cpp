#include <cstdlib>
#include <gtest/gtest.h>

#include "slayer/core/file.h"
#include "slayer/core/toml.h"
#include "slayer/eval/task_folder.h"
#include "slayer/recipe/evaluate.h"
#include "slayer/recipe/recipe.h"

#include "tests/support/scratch_folder.h"

namespace slayer {
namespace {

/// Puts a file where the recipe in recipes/ names texts; of a pattern, one that it matches.
void write_texts(const Json& json, const std::filesystem::path& recipes) {
  for (const char* const table : {"probe", "train", "sft", "eval"}) {
    for (const char* const key :
         {"data", "text", "domain", "general", "eval_domain", "eval_general"}) {
      for (const Json& pattern : json.value(table, Json::object()).value(key, Json::array())) {
        auto name = pattern.get<std::string>();
        if (const size_t star = name.find('*'); star != std::string::npos) {
          name = name.substr(0, star) + "a" + name.substr(star + 1);
        }
        write_text_file((recipes / name).lexically_normal(), "text");
      }
    }
  }
}

/// Every recipe of the repository is one that this version reads, with tasks that exist.
TEST(ShippedRecipes, CanBeRead) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(SLAYER_SOURCE_DIR "/recipes")) {
    SCOPED_TRACE(entry.path().string());
    const ScratchFolder folder;
    const std::filesystem::path copy = folder / ("recipes/" + entry.path().filename().string());
    write_text_file(copy, read_text_file(entry.path()));
    write_texts(read_toml_file(copy), copy.parent_path());
    std::string text = read_text_file(copy);
    // Whether this libtorch sees a GPU is not what is tested.
    if (const size_t at = text.find("device = \"cuda\""); at != std::string::npos) {
      text = text.substr(0, at) + "device = \"cpu\"" + text.substr(at + 15);
      write_text_file(copy, text);
    }
    const Recipe recipe = read_recipe(copy);
    EXPECT_NO_THROW(task_names(recipe.eval, task_catalogue(recipe.eval)));
    ++count;
  }
  EXPECT_GE(count, 4);
}

TEST(ShippedRecipes, PlanThePapersModel) {
  for (const char* const name :
       {"llama-slayer-8b", "llama-slayer-8b-instruct", "mistral-7b-legal"}) {
    const Json json = read_toml_file(std::string(SLAYER_SOURCE_DIR "/recipes/") + name + ".toml");
    PlanRecipe plan;
    plan.prune = json["plan"]["prune"].get<int64_t>();
    plan.prune_mode = PruneMode::kCollapse;
    EXPECT_EQ(json["plan"]["prune_mode"], "collapse");
    const Plan made = make_plan(plan, 32);
    EXPECT_EQ(made.layers.size(), 38U);
    EXPECT_EQ(std::ranges::count(made.layers, true, &PlannedLayer::train), 9);
  }
}

/// The examples of docs/recipes.md, each with the tables that every recipe has.
std::vector<std::string> recipes_of_docs() {
  const std::string docs = read_text_file(SLAYER_SOURCE_DIR "/docs/recipes.md");
  const std::string fence = "```toml\n";
  std::vector<std::string> recipes;
  for (size_t at = docs.find(fence); at != std::string::npos; at = docs.find(fence, at + 1)) {
    const size_t begin = at + fence.size();
    recipes.push_back(
        "base = \"model\"\n[train]\ndata = [\"a.txt\"]\n[eval]\ndomain = [\"b.txt\"]\n"
        "general = [\"c.txt\"]\n" +
        docs.substr(begin, docs.find("```", begin) - begin));
  }
  return recipes;
}

TEST(ShippedRecipes, HaveExamplesInTheDocsThatCanBeRead) {
  std::vector<std::string> variants;
  int count = 0;
  for (const std::string& text : recipes_of_docs()) {
    SCOPED_TRACE(text);
    const ScratchFolder folder;
    write_text_file(folder / "my.toml", text);
    write_texts(read_toml_file(folder / "my.toml"), folder.path());
    for (const Recipe& variant : read_recipe(folder / "my.toml").variants) {
      variants.push_back(variant.variant);
    }
    ++count;
  }
  EXPECT_GE(count, 3);
  ASSERT_EQ(variants.size(), 6U);
  EXPECT_EQ(variants.front(), "slayer-seed-1");
  EXPECT_EQ(variants.back(), "llama-pro-seed-3");
}

/// docs/recipes.md describes each table in a section of its own, each key in a table row there;
/// [sft] has the keys of [train].
TEST(ShippedRecipes, HaveEveryKeyInTheDocs) {
  const std::string docs = read_text_file(SLAYER_SOURCE_DIR "/docs/recipes.md");
  EXPECT_EQ(recipe_keys().at("sft"), recipe_keys().at("train"));
  for (const auto& [table, keys] : recipe_keys()) {
    const std::string title = table.empty() ? "\n## The file itself\n" : "\n## [" + table + "]\n";
    const size_t begin = docs.find(title);
    ASSERT_NE(begin, std::string::npos) << title;
    const std::string section = docs.substr(begin, docs.find("\n## ", begin + 1) - begin);
    for (const std::string_view key :
         table == "sft" ? std::vector<std::string_view>{"format"} : keys) {
      EXPECT_NE(section.find("\n| `" + std::string(key) + "` |"), std::string::npos)
          << table << "." << key;
    }
  }
}

}  // namespace
}  // namespace slayer
