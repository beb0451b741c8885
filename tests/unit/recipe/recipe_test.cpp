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
            "recipes/r.toml: plan.strategy: found slyer, expected slayer, llama-pro, solar, prune, "
            "passthrough or auto");
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
  EXPECT_EQ(message(with("steps = 7", "lr = -1.0")),
            "recipes/r.toml: train.lr: found -1, expected a number from 0 to 1");
  EXPECT_TRUE(message(with("every = 3", "prune_mode = \"melt\"")).starts_with("recipes/r.toml: "));
  EXPECT_TRUE(message(with("data = [\"train.jsonl\"]", "data = [\"gone.jsonl\"]"))
                  .starts_with("recipes/r.toml: recipes/gone.jsonl: "));
}

TEST_F(RecipeFile, ReadsEveryTrainingMethod) {
  const TrainOptions lora =
      read(with("steps = 7",
                "method = \"lora\"\nlora_rank = 8\nlora_alpha = 4\nlora_targets = [\"q_proj\"]\n"
                "lr_scale.lora-b = 16"))
          .train;
  EXPECT_EQ(lora.method.method, Method::kLora);
  EXPECT_EQ(lora.method.lora_rank, 8);
  EXPECT_EQ(lora.method.lora_alpha, 4.0);
  EXPECT_EQ(lora.method.lora_targets, std::vector<std::string>{"q_proj"});
  EXPECT_EQ(lora.lr_scales, (LrScales{{"lora-b", 16.0}}));
  EXPECT_EQ(read(with("steps = 7", "method = \"last-k\"\nlast_k = 2")).train.method.last_k, 2);
  EXPECT_EQ(read(with("steps = 7", "method = \"layers\"\nlayers = [1, 3]")).train.method.layers,
            (std::vector<int64_t>{1, 3}));
  EXPECT_EQ(message(with("steps = 7", "method = \"lorra\"")),
            "recipes/r.toml: train.method: found \"lorra\", expected plan, last-k, layers, full or "
            "lora");
  EXPECT_EQ(message(with("steps = 7", "lora_rank = 2")),
            "recipes/r.toml: train.lora_rank: found method plan, expected method lora");
  EXPECT_TRUE(message(with("steps = 7", "lr_scale.odd = 2"))
                  .starts_with("recipes/r.toml: train.lr_scale: found \"odd=2\""));
  EXPECT_EQ(message(with("steps = 7", "method = \"full\"") + "[export]\npack = true"),
            "recipes/r.toml: export.pack: found method full, expected a method that trains layers "
            "only");
}

TEST_F(RecipeFile, ReadsMixturesAndWhatIsWatched) {
  const TrainOptions train =
      read(with("data = [\"train.jsonl\"]",
                "data = [\"train.jsonl=0.9\", \"../elsewhere/general.txt=0.1\"]\n"
                "schedule = \"wsd\"\ndecay_steps = 3\nrecompute = true\n"
                "compute = \"float32\"\nfrozen_weights = \"int8\"\n"
                "eval_general = [\"../elsewhere/general.txt\"]\neval_every = 5\n"
                "stop_if_forgetting = 0.05"))
          .train;
  EXPECT_EQ(train.data.back(), (folder_ / "elsewhere/general.txt").string() + "=0.1");
  EXPECT_EQ(train.schedule, ScheduleShape::kWsd);
  EXPECT_EQ(train.recompute, true);
  EXPECT_EQ(train.compute, "float32");
  EXPECT_TRUE(train.has_int8_frozen);
  EXPECT_EQ(train.eval_general, std::vector{(folder_ / "elsewhere/general.txt").string()});
  EXPECT_EQ(train.stop_if_forgetting, 0.05);
  EXPECT_EQ(message(with("steps = 7", "stop_if_forgetting = 0.05")),
            "recipes/r.toml: train.stop_if_forgetting: found no text, expected text that must not "
            "be forgotten: eval_general");
  EXPECT_TRUE(message(with("steps = 7", "eval_general = [\"gone.txt\"]"))
                  .starts_with("recipes/r.toml: recipes/gone.txt: "));
}

TEST_F(RecipeFile, LearnsConversationsAfterwards) {
  EXPECT_FALSE(read(kRecipe).sft);
  const std::string sft = kRecipe + std::string("[sft]\ndata = [\"train.jsonl\"]\n");
  EXPECT_EQ(read(sft).sft->format, DocumentFormat::kMessages);
  EXPECT_EQ(read(sft).sft->compute, std::nullopt);
  EXPECT_EQ(read("dtype = \"bfloat16\"\n" + sft).sft->compute, "bfloat16");
  EXPECT_EQ(message("dtype = \"bfloat16\"\n" + sft + "frozen_weights = \"int8\""),
            "recipes/r.toml: sft.frozen_weights int8: found compute bfloat16, expected compute "
            "float32");
  EXPECT_EQ(read(sft + "format = \"alpaca\"").sft->format, DocumentFormat::kAlpaca);
  EXPECT_EQ(message(sft + "format = \"text\""),
            "recipes/r.toml: sft.format: found text, expected messages, alpaca or sharegpt");
  EXPECT_EQ(message(sft + "stesp = 1"),
            "recipes/r.toml: sft.stesp: found an unknown key, expected perhaps \"steps\"");
  EXPECT_EQ(message(kRecipe + std::string("[sft]\nsteps = 1")),
            "recipes/r.toml: sft.data: found nothing, expected at least one file");
}

/// kRecipe with an auto plan from a probe that `probe` describes.
std::string with_probe(const std::string& probe, const std::string& plan = "budget = 1.2") {
  return with("every = 3", "strategy = \"auto\"\n" + plan) + "[probe]\n" + probe;
}

TEST_F(RecipeFile, ReadsWhatIsProbed) {
  const Recipe recipe =
      read(with_probe("methods = [\"remove\", \"angular\"]\ndomain = [\"train.jsonl\"]\n"
                      "general = [\"../elsewhere/general.txt\"]\nseq_len = 16\nprune = 1\n"));
  EXPECT_TRUE(recipe.probe->methods.remove);
  EXPECT_TRUE(recipe.probe->methods.angular);
  EXPECT_FALSE(recipe.probe->methods.expand);
  EXPECT_EQ(recipe.probe->methods.prune, 1);
  EXPECT_EQ(recipe.probe->text.seq_len, 16);
  EXPECT_EQ(recipe.probe->domain.text, std::vector{(folder_ / "recipes/train.jsonl").string()});
  EXPECT_EQ(auto_plan_options(recipe.plan).budget, 1.2);
  EXPECT_TRUE(read(with_probe("text = [\"train.jsonl\"]")).probe->methods.remove);
}

TEST_F(RecipeFile, RefusesAProbeOfNothing) {
  EXPECT_EQ(message(with_probe("windows = 2")),
            "recipes/r.toml: probe.domain: found nothing, expected domain and general texts or "
            "tasks, or text or tasks");
  EXPECT_EQ(
      message(with_probe("text = [\"train.jsonl\"]\ndomain = [\"train.jsonl\"]")),
      "recipes/r.toml: probe.text: found domain or general beside it, expected either of both "
      "ways");
  EXPECT_EQ(message(with_probe("text = [\"train.jsonl\"]\nmethods = [\"removal\"]")),
            "recipes/r.toml: probe: method: found removal, expected remove, expand, angular, "
            "gradient or lens");
  EXPECT_EQ(message(with_probe("text = [\"train.jsonl\"]\nmethod = [\"remove\"]")),
            "recipes/r.toml: probe.method: found an unknown key, expected perhaps \"methods\"");
  unsetenv("SLAYER_DATA_DIR");
  EXPECT_TRUE(message(with_probe("text = [\"train.jsonl\"]\ntasks = [\"arc_easy\"]"))
                  .starts_with("recipes/r.toml: eval.data_dir: found nothing"));
}

TEST_F(RecipeFile, RefusesAnAutoPlanWithoutGround) {
  const std::string text = "text = [\"train.jsonl\"]\n";
  EXPECT_EQ(message(with("every = 3", "strategy = \"auto\"\nbudget = 1.2")),
            "recipes/r.toml: plan.strategy: found auto without a probe, expected a table [probe]");
  EXPECT_EQ(message(with_probe(text, "every = 2")),
            "recipes/r.toml: plan.budget: found nothing, expected a budget, as 1.18, or new_layers "
            "and prune");
  EXPECT_EQ(message(with_probe(text, "budget = 0.0")),
            "recipes/r.toml: plan.budget: found 0.0, expected the new model's parameters over the "
            "base's, from 0.01 to 100");
  for (const char* const probe : {"methods = [\"angular\"]", "span = 2"}) {
    EXPECT_EQ(message(with_probe(text + probe)),
              "recipes/r.toml: probe: found nothing that an auto plan could follow, expected the "
              "method remove with span 1, and a text wherever there are tasks");
  }
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
