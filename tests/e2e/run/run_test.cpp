#include <filesystem>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <string>

#include "slayer/core/file.h"
#include "slayer/core/folder_lock.h"
#include "slayer/core/json.h"

#include "tests/support/tiny_run.h"

namespace slayer {
namespace {

TEST_F(TinyRun, GoesFromBaseToTableAndThenHasNothingToDo) {
  const Outcome first = run("run");
  ASSERT_EQ(first.exit_code, 0) << first.err;
  EXPECT_NE(first.out.find("before training: logits bit-identical to the base's"),
            std::string::npos);
  EXPECT_NE(first.out.find("domain "), std::string::npos);
  EXPECT_NE(first.out.find("CPU-seconds"), std::string::npos);
  const Json before = result("run");

  const Outcome again = run("run");
  EXPECT_EQ(again.exit_code, 0);
  for (const char* stage :
       {"plan", "surgery", "verify", "train", "eval-base", "eval-new", "compare", "overlap"}) {
    EXPECT_NE(again.err.find(std::string(stage) + ": up to date"), std::string::npos) << stage;
  }
  EXPECT_EQ(result("run"), before);
}

TEST_F(TinyRun, RunsOnlyWhatAChangedSettingTouches) {
  ASSERT_EQ(run("run").exit_code, 0);
  write_recipe(/*steps=*/6, /*max_new_tokens=*/5);
  const std::string dry = run("run", {"--dry-run"}).out;
  EXPECT_NE(dry.find("verify           up to date"), std::string::npos) << dry;
  EXPECT_NE(dry.find("train            up to date"), std::string::npos) << dry;
  const Outcome outcome = run("run");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("train: up to date"), std::string::npos);
  EXPECT_EQ(outcome.err.find("eval-new: up to date"), std::string::npos);
}

TEST_F(TinyRun, ReplacesATrainingOnlyWhenAskedTo) {
  ASSERT_EQ(run("run").exit_code, 0);
  const Json before = result("run");
  const std::string refusal =
      "found a training that differs ({}), expected --force to replace "
      "it (another --out keeps both)\n";
  const std::string where = fmt::format("slayer: {}: ", (folder_ / "run/train").string());
  write_recipe(/*steps=*/7, /*max_new_tokens=*/4);
  for (const std::vector<std::string>& options :
       {std::vector<std::string>{}, {"--dry-run"}, {"--only", "train"}}) {
    const Outcome outcome = run("run", options);
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_EQ(outcome.err, where + fmt::format(fmt::runtime(refusal), "steps"));
  }
  // Another plan is refused before the model that the training began from is replaced.
  write_recipe(/*steps=*/6, /*max_new_tokens=*/4);
  replace_in_recipe("shallow = 1.0", "shallow = 0.5");
  EXPECT_EQ(run("run").err, where + fmt::format(fmt::runtime(refusal), "base or plan"));
  replace_in_recipe("shallow = 0.5", "shallow = 1.0");
  const Outcome back = run("run");
  EXPECT_NE(back.err.find("surgery: up to date"), std::string::npos) << back.err;
  EXPECT_EQ(result("run"), before);

  write_recipe(/*steps=*/7, /*max_new_tokens=*/4);
  const Outcome forced = run("run", {"--force"});
  EXPECT_EQ(forced.exit_code, 0) << forced.err;
  EXPECT_NE(forced.err.find("surgery: up to date"), std::string::npos) << forced.err;
  EXPECT_NE(run("run", {"--force"}).err.find("train: up to date"), std::string::npos);
}

TEST_F(TinyRun, KeepsTrainingWhenTheModelItBeganFromIsMadeAgain) {
  ASSERT_EQ(run("run").exit_code, 0);
  std::filesystem::remove_all(folder_ / "run/expanded");
  const Outcome outcome = run("run");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.err.find("surgery: up to date"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("train: up to date"), std::string::npos) << outcome.err;
}

/// Several recipes may share a folder and what they have in common; what each thing there was made
/// by stays known.
TEST_F(TinyRun, RemembersTheRecipeOfEachThing) {
  append_to_recipe("[variants.first.train]\nseed = 1\n");
  ASSERT_EQ(run("run").exit_code, 0);
  const std::string first = read_text_file(folder_ / "recipe.toml");
  replace_in_recipe("[variants.first.train]\nseed = 1", "[variants.second.train]\nseed = 2");
  const std::string second = read_text_file(folder_ / "recipe.toml");
  ASSERT_EQ(run("run").exit_code, 0);

  const auto recipe_of = [&](const std::string& file) {
    const Json json = read_json_file(folder_ / "run" / file);
    const Json& record = json.contains("made_by") ? json["made_by"] : json;
    return read_text_file(folder_ / "run" / record["recipe"].get<std::string>());
  };
  EXPECT_EQ(recipe_of("stages/eval-base.json"), first);
  EXPECT_EQ(recipe_of("variants/first/stages/train.json"), first);
  EXPECT_EQ(recipe_of("variants/first/run.json"), first);
  EXPECT_EQ(recipe_of("variants/second/stages/train.json"), second);
  EXPECT_EQ(recipe_of("run.json"), second);
  EXPECT_EQ(read_text_file(folder_ / "run/recipe.toml"), second);
  EXPECT_TRUE(read_json_file(folder_ / "run/variants/first/stages/train.json")["made_by"].contains(
      "processor"));
  const Json files = read_json_file(folder_ / "run/variants/first/summary.json")["files"];
  EXPECT_EQ(read_text_file(folder_ / "run/variants/first" / files["recipe"].get<std::string>()),
            first);
}

TEST_F(TinyRun, CarriesOutAPlanThatWasEditedByHand) {
  ASSERT_EQ(run("run").exit_code, 0);
  Json plan = read_json_file(folder_ / "run/plan.json");
  plan["layers"].back()["train"] = false;
  write_json_file(folder_ / "run/plan.json", plan);
  EXPECT_EQ(run("run").exit_code, 1) << "a training of the former plan is there";
  const Outcome outcome = run("run", {"--force"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("plan: up to date"), std::string::npos);
  EXPECT_EQ(outcome.err.find("surgery: up to date"), std::string::npos);
}

TEST_F(TinyRun, SaysWhatItWouldDo) {
  const Outcome outcome = run("run", {"--dry-run"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_TRUE(outcome.out.starts_with("plan             to do       ")) << outcome.out;
  EXPECT_NE(outcome.out.find("train            to do       about 1.0 s, "), std::string::npos)
      << outcome.out;
  EXPECT_FALSE(std::filesystem::exists(folder_ / "run"));
  ASSERT_EQ(run("run").exit_code, 0);
  const std::string later = run("run", {"--dry-run", "--from", "eval"}).out;
  EXPECT_NE(later.find("train            up to date"), std::string::npos) << later;
  EXPECT_NE(later.find("eval-new         to do"), std::string::npos) << later;
}

TEST_F(TinyRun, DoesOneStageAlone) {
  const Outcome plan = run("run", {"--only", "plan"});
  EXPECT_EQ(plan.exit_code, 0) << plan.err;
  EXPECT_TRUE(std::filesystem::exists(folder_ / "run/plan.json"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "run/expanded"));
  const Outcome early = run("run", {"--only", "train"});
  EXPECT_EQ(early.exit_code, 1);
  EXPECT_NE(early.err.find("(an earlier stage is to do; run it first, or all without --only)"),
            std::string::npos)
      << early.err;
  const Outcome wrong = run("run", {"--only", "trane"});
  EXPECT_EQ(wrong.err,
            "slayer: --only: found trane, expected plan, surgery, verify, train, eval-base, "
            "eval-new, compare, overlap or report\n");
}

TEST_F(TinyRun, DoesAStageAndThoseAfterItAgain) {
  ASSERT_EQ(run("run").exit_code, 0);
  const Json before = result("run");
  const Outcome outcome = run("run", {"--from", "train"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("verify: up to date"), std::string::npos);
  EXPECT_EQ(outcome.err.find("train: up to date"), std::string::npos);
  EXPECT_EQ(outcome.err.find("eval-new: up to date"), std::string::npos);
  EXPECT_EQ(result("run"), before);
}

TEST_F(TinyRun, CanBeMoved) {
  ASSERT_EQ(run("run").exit_code, 0);
  std::filesystem::rename(folder_ / "run", folder_ / "moved");
  const Outcome outcome = run("moved");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  for (const char* stage :
       {"plan", "surgery", "verify", "train", "eval-base", "eval-new", "compare", "overlap"}) {
    EXPECT_NE(outcome.err.find(std::string(stage) + ": up to date"), std::string::npos) << stage;
  }
}

TEST_F(TinyRun, HoldsWhatIsNeededToRepeatIt) {
  ASSERT_EQ(run("run").exit_code, 0);
  EXPECT_EQ(read_text_file(folder_ / "run/recipe.toml"), read_text_file(folder_ / "recipe.toml"));
  const Json record = read_json_file(folder_ / "run/run.json");
  for (const char* key : {"slayer", "libtorch", "compiler", "processor", "cores", "base_hash"}) {
    EXPECT_TRUE(record.contains(key)) << key;
  }
  const Json inputs = read_json_file(folder_ / "run/stages/train.json")["inputs"];
  EXPECT_EQ(inputs["data"].get<std::string>().size(), 64U);
  EXPECT_EQ(inputs["settings"]["steps"], 6);
}

TEST_F(TinyRun, EndsWithAReportAndAnExport) {
  append_to_recipe("[export]\ngguf = [\"f16\"]\npack = true\n");
  const Outcome outcome = run("run");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("report: " + (folder_ / "run/report.html").string()),
            std::string::npos);
  EXPECT_NE(read_text_file(folder_ / "run/report.html").find("\"training\":{\"step\":[1.0"),
            std::string::npos);
  EXPECT_TRUE(read_text_file(folder_ / "run/report.md").starts_with("# run\n"));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "run/export/model-f16.gguf"));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "run/export/pack.safetensors"));
  // The training text is the held-out text here, and the report must say so. Its documents are of
  // fewer than 13 words.
  const Json overlap = read_json_file(folder_ / "run/overlap.json");
  EXPECT_EQ(overlap["sets"]["text:domain"]["items"], 40);
}

TEST_F(TinyRun, SharesWhatVariantsHaveInCommon) {
  append_to_recipe(R"(
[variants.slayer]
[variants.pro.plan]
strategy = "llama-pro"
new_layers = 2
[matrix]
train.seed = [1, 2]
)");
  const Outcome outcome = run("run");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const std::filesystem::path variants = folder_ / "run/variants";
  EXPECT_TRUE(std::filesystem::exists(variants / "slayer-seed-1/expanded"));
  EXPECT_FALSE(std::filesystem::exists(variants / "slayer-seed-2/expanded"));
  EXPECT_TRUE(std::filesystem::exists(variants / "slayer-seed-2/train/model"));
  EXPECT_TRUE(std::filesystem::exists(variants / "pro-seed-1/expanded"));
  EXPECT_FALSE(std::filesystem::exists(variants / "pro-seed-1/eval/base.json"));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "run/eval/base.json"));
  const Json summary = read_json_file(folder_ / "run/summary.json");
  ASSERT_EQ(summary["variants"].size(), 4U);
  EXPECT_EQ(summary["variants"][1]["folder"], "variants/slayer-seed-2");
  double with_shared_stages = 0.0;
  for (const Json& variant : summary["variants"]) {
    with_shared_stages += variant["summary"]["time"]["seconds"].get<double>();
  }
  EXPECT_LT(summary["time"]["seconds"], with_shared_stages);
  EXPECT_NE(outcome.out.find("pro-seed-2"), std::string::npos);
  const std::string page = read_text_file(variants / "slayer-seed-2/report.html");
  EXPECT_NE(page.find("\"plan\":{\"format\":1"), std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(folder_ / "run/report.html"));

  const Outcome again = run("run");
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_NE(again.err.find("train slayer-seed-2: up to date"), std::string::npos) << again.err;
  EXPECT_EQ(read_json_file(folder_ / "run/summary.json"), summary);
}

TEST_F(TinyRun, RefusesATaskWithoutData) {
  std::string recipe = read_text_file(folder_ / "recipe.toml");
  append_to_recipe("general_tasks = [\"arc_easy\"]\ndata_dir = \"nowhere\"\n");
  const Outcome outcome = run("run");
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_NE(outcome.err.find("nowhere"), std::string::npos) << outcome.err;
  EXPECT_FALSE(std::filesystem::exists(folder_ / "run"));
  write_text_file(folder_ / "recipe.toml",
                  recipe + "general_tasks = [\"ark_easy\"]\ndata_dir=\".\"\n");
  EXPECT_NE(run("run").err.find("arc_easy"), std::string::npos);
}

TEST_F(TinyRun, RefusesAFolderThatNoRunMade) {
  write_text_file(folder_ / "mine/letter.txt", "dear");
  const Outcome outcome = run("mine");
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(outcome.err,
            fmt::format("slayer: {}: found a folder that no run made, expected a new path or the "
                        "folder of a run\n",
                        (folder_ / "mine").string()));
}

TEST_F(TinyRun, RefusesAFolderThatAnotherRunIsAtWorkIn) {
  ASSERT_EQ(run("run").exit_code, 0);
  const FolderLock held(folder_ / "run");
  const Outcome outcome = run("run");
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_NE(outcome.err.find("another slayer at work"), std::string::npos) << outcome.err;
}

TEST_F(TinyRun, RefusesWindowsLongerThanTheModelsPositions) {
  std::string recipe = read_text_file(folder_ / "recipe.toml");
  recipe.replace(recipe.find("seq_len = 32\nprompts"), 12, "seq_len = 99999");
  write_text_file(folder_ / "recipe.toml", recipe);
  const Outcome outcome = run("run");
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_NE(
      outcome.err.find("recipe.toml: eval.seq_len: found 99999, expected at most the model's"),
      std::string::npos)
      << outcome.err;
}

}  // namespace
}  // namespace slayer
