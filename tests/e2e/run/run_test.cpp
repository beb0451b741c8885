#include <filesystem>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <string>

#include "slayer/core/file.h"
#include "slayer/core/json.h"

#include "tests/support/run_slayer.h"

namespace slayer {
namespace {

/// A recipe on a model of a few thousand parameters.
class TinyRun : public testing::Test {
 protected:
  TinyRun() {
    std::string domain;
    std::string general;
    for (int i = 0; i < 40; ++i) {
      domain +=
          fmt::format("{{\"text\": \"Licence {}: you may copy section {} freely.\"}}\n", i, i);
      general += fmt::format("{{\"text\": \"On day {} the weather was fine again.\"}}\n", i);
    }
    write_text_file(folder_ / "domain.jsonl", domain);
    write_text_file(folder_ / "general.jsonl", general);
    write_recipe(/*steps=*/6, /*max_new_tokens=*/4);
  }

  void write_recipe(int steps, int max_new_tokens) {
    write_text_file(folder_ / "recipe.toml",
                    fmt::format(R"(
base = "{}/models/smollm"
threads = 1
[plan]
shallow = 1.0
[train]
data = ["domain.jsonl"]
steps = {}
batch_size = 2
seq_len = 32
save_every = 2
lr = 1e-3
[eval]
domain = ["domain.jsonl"]
general = ["general.jsonl"]
seq_len = 32
prompts = ["You may"]
max_new_tokens = {}
)",
                                SLAYER_FIXTURES,
                                steps,
                                max_new_tokens));
  }

  Outcome run(const std::string& out) {
    return run_slayer(
        {"run", (folder_ / "recipe.toml").string(), "--out", (folder_ / out).string()});
  }

  /// The result of a run but for the time it took.
  Json result(const std::string& out) {
    Json summary = read_json_file(folder_ / (out + "/summary.json"));
    summary.erase("time");
    return summary;
  }

  ScratchFolder folder_;
};

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
  for (const char* stage : {"plan", "surgery", "verify", "train", "eval-base", "eval-new"}) {
    EXPECT_NE(again.err.find(std::string(stage) + ": up to date"), std::string::npos) << stage;
  }
  EXPECT_EQ(result("run"), before);
}

TEST_F(TinyRun, RunsOnlyWhatAChangedSettingTouches) {
  ASSERT_EQ(run("run").exit_code, 0);
  write_recipe(/*steps=*/6, /*max_new_tokens=*/5);
  const Outcome outcome = run("run");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("train: up to date"), std::string::npos);
  EXPECT_EQ(outcome.err.find("eval-new: up to date"), std::string::npos);
  write_recipe(/*steps=*/7, /*max_new_tokens=*/5);
  EXPECT_EQ(run("run").exit_code, 0);
}

TEST_F(TinyRun, CarriesOutAPlanThatWasEditedByHand) {
  ASSERT_EQ(run("run").exit_code, 0);
  Json plan = read_json_file(folder_ / "run/plan.json");
  plan["layers"].back()["train"] = false;
  write_json_file(folder_ / "run/plan.json", plan);
  const Outcome outcome = run("run");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("plan: up to date"), std::string::npos);
  EXPECT_EQ(outcome.err.find("surgery: up to date"), std::string::npos);
}

/// Kills runs after ever longer times; each goes on where the one before was.
TEST_F(TinyRun, KilledAnywhereGoesOnToTheSameResult) {
  ASSERT_EQ(run("whole").exit_code, 0);
  const std::string command = fmt::format("{} run {} --out {}",
                                          quoted(SLAYER_BINARY),
                                          quoted(folder_ / "recipe.toml"),
                                          quoted(folder_ / "killed"));
  bool is_done = false;
  for (int tenths = 2; !is_done && tenths < 200; tenths += 2) {
    const Outcome outcome =
        run_shell(fmt::format("timeout --signal=KILL {}.{} {}", tenths / 10, tenths % 10, command));
    is_done = outcome.exit_code == 0;
    ASSERT_TRUE(is_done || outcome.exit_code == 137) << outcome.err;
  }
  ASSERT_TRUE(is_done);
  EXPECT_EQ(result("killed").at("text"), result("whole").at("text"));
  EXPECT_EQ(read_text_file(folder_ / "killed/train/model/model.safetensors"),
            read_text_file(folder_ / "whole/train/model/model.safetensors"));
}

TEST_F(TinyRun, SaysWhatItWouldDo) {
  const std::string recipe = folder_ / "recipe.toml";
  const std::string out = folder_ / "run";
  const Outcome outcome = run_slayer({"run", recipe, "--out", out, "--dry-run"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_TRUE(outcome.out.starts_with("plan       to do       " + out + "/plan.json\n"))
      << outcome.out;
  EXPECT_FALSE(std::filesystem::exists(out));
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
