#include <filesystem>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <string>

#include "slayer/core/file.h"
#include "slayer/core/json.h"

#include "tests/support/tiny_stages.h"

namespace slayer {
namespace {

/// What makes a stage out of date, and what is found before anything long begins.
class RunInputs : public TinyStages {
 protected:
  void ask_words() {
    know_words();
    replace_in_recipe("tasks_dir", "general_tasks = [\"words\"]\ntasks_dir");
    answer_words(0);
  }

  void answer_words(int gold) {
    write_text_file(folder_ / "data/o/n/c/test.jsonl",
                    fmt::format("{{\"q\": \"one\", \"c\": [\"a\", \"b\"], \"a\": {}}}\n", gold));
  }

  /// "to do" or "up to date".
  std::string status(const std::string& stage) {
    const Outcome dry = run("run", {"--dry-run", "--json"});
    const Json forecast = parse_json(dry.out, "dry run");
    for (const Json& entry : forecast["stages"]) {
      if (entry["stage"] == stage) {
        return entry["status"].get<std::string>();
      }
    }
    return dry.err;
  }

  /// Of a run that is refused before it begins.
  std::string refusal() {
    const Outcome outcome = run("run");
    EXPECT_EQ(outcome.exit_code, 1) << outcome.out;
    EXPECT_FALSE(std::filesystem::exists(folder_ / "run"));
    const std::string file = fmt::format("slayer: {}: ", (folder_ / "recipe.toml").string());
    return outcome.err.starts_with(file) ? outcome.err.substr(file.size()) : outcome.err;
  }
};

TEST_F(RunInputs, OfTasksAreTheirFilesContent) {
  ask_words();
  ASSERT_EQ(run("run").exit_code, 0);
  EXPECT_EQ(status("eval-base"), "up to date");
  answer_words(1);
  EXPECT_EQ(status("eval-base"), "to do");
  EXPECT_EQ(status("overlap"), "to do");
  answer_words(0);
  EXPECT_EQ(status("eval-new"), "up to date");
  write_text_file(folder_ / "tasks/words.toml",
                  read_text_file(folder_ / "tasks/words.toml") + "# another text\n");
  EXPECT_EQ(status("eval-new"), "to do");
}

TEST_F(RunInputs, OfTextsAreTheirWayToBeReadToo) {
  write_text_file(folder_ / "rows.jsonl",
                  "{\"text\": \"one or more words\", \"body\": \"some other words\"}\n");
  replace_in_recipe("domain = [\"domain.jsonl\"]\ngeneral = [\"general.jsonl\"]",
                    "domain = [\"rows.jsonl\"]\ngeneral = [\"rows.jsonl\"]");
  ASSERT_EQ(run("run").exit_code, 0);
  std::filesystem::copy(folder_ / "rows.jsonl", folder_ / "rows.txt");
  replace_in_recipe("rows.jsonl", "rows.txt");
  EXPECT_EQ(status("eval-base"), "to do") << "a .txt is one document";
  replace_in_recipe("rows.txt", "rows.jsonl");
  EXPECT_EQ(status("overlap"), "up to date");
  replace_in_recipe("[eval]", "[eval]\ntext_field = \"body\"");
  EXPECT_EQ(status("overlap"), "to do");
}

TEST_F(RunInputs, AreNotMixedInAReport) {
  ASSERT_EQ(run("run").exit_code, 0);
  const std::string before = read_text_file(folder_ / "run/report.md");
  replace_in_recipe("shallow = 1.0", "every = 1");
  const Outcome outcome = run("run", {"--only", "plan"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "not finished: surgery is to do\n");
  EXPECT_EQ(read_text_file(folder_ / "run/report.md"), before);
  EXPECT_EQ(run("run", {"--only", "report"}).out, "not finished: surgery is to do\n");
}

TEST_F(RunInputs, AreMadeAgainWhereAFileOfThemIsGone) {
  ASSERT_EQ(run("run").exit_code, 0);
  const Json before = result("run");
  std::filesystem::remove(folder_ / "run/train/model/config.json");
  const Outcome outcome = run("run");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_TRUE(std::filesystem::exists(folder_ / "run/train/model/config.json"));
  EXPECT_EQ(result("run"), before);
}

TEST_F(RunInputs, MayBeEditedBesideTheWeights) {
  ASSERT_EQ(run("run").exit_code, 0);
  write_text_file(folder_ / "run/train/model/README.md", "A card of my own.\n");
  EXPECT_EQ(status("train"), "up to date");
}

TEST_F(RunInputs, ThatCannotBeTrainedOnCostNoTraining) {
  learn_conversations(/*steps=*/3);
  ASSERT_EQ(run("run").exit_code, 0);
  write_text_file(folder_ / "run/sft/notes.md", "Mine.\n");
  replace_in_recipe("seq_len = 64", "seq_len = 2");
  EXPECT_EQ(run("run", {"--force"}).exit_code, 1);
  EXPECT_TRUE(std::filesystem::exists(folder_ / "run/sft/model/model.safetensors"));
  replace_in_recipe("seq_len = 2", "seq_len = 48");
  const Outcome outcome = run("run", {"--force"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_TRUE(std::filesystem::exists(folder_ / "run/sft/notes.md"));
}

TEST_F(RunInputs, MayLeaveNothingToTrainUntilThePlanIsEdited) {
  replace_in_recipe("shallow = 1.0", "strategy = \"passthrough\"\nranges = \"0:4\"");
  const Outcome outcome = run("run", {"--only", "plan"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(status("plan"), "up to date");
}

TEST_F(RunInputs, OfAProbeLeaveTheReportWithIt) {
  ASSERT_EQ(run("run").exit_code, 0);
  write_text_file(folder_ / "run/probe.json", "{\"format\": 1}");
  ASSERT_EQ(run("run").exit_code, 0);
  EXPECT_EQ(read_text_file(folder_ / "run/report.html").find("\"probe\":{"), std::string::npos);
}

TEST_F(RunInputs, MayBeginInAnEmptyFolder) {
  std::filesystem::create_directory(folder_ / "run");
  EXPECT_EQ(run("run", {"--only", "plan"}).exit_code, 0);
  std::filesystem::remove(folder_ / "run/run.json");  // Killed before it was written.
  std::filesystem::remove_all(folder_ / "run/stages");
  EXPECT_EQ(run("run", {"--only", "plan"}).exit_code, 0);
  std::filesystem::create_directory(folder_ / "mine");
  write_text_file(folder_ / "mine/notes.md", "Mine.\n");
  EXPECT_NE(run("mine").err.find("found a folder that no run made"), std::string::npos);
}

TEST_F(RunInputs, KeepATrainingThatNobodyKnowsOf) {
  ASSERT_EQ(run("run").exit_code, 0);
  std::filesystem::remove(folder_ / "run/stages/train.json");
  EXPECT_EQ(run("run").err,
            fmt::format("slayer: {}: found a training that differs (its stamp train.json is gone), "
                        "expected --force to replace it (another --out keeps both)\n",
                        (folder_ / "run/train").string()));
}

TEST_F(RunInputs, MayNameOtherThreadsWhenATrainingGoesOn) {
  ASSERT_EQ(run("run").exit_code, 0);
  const std::filesystem::path stamp = folder_ / "run/stages/train.json";
  Json cut_short = read_json_file(stamp);
  cut_short["is_done"] = false;
  write_json_file(stamp, cut_short);
  std::filesystem::remove_all(folder_ / "run/train/model");
  replace_in_recipe("threads = 1", "threads = 2");
  const Outcome outcome = run("run");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(read_json_file(folder_ / "run/train/training.json")["threads"], 1);
}

TEST_F(RunInputs, AreLookedAtBeforeAnythingLongBegins) {
  replace_in_recipe("\"You may\"", fmt::format("\"You may\", \"{}\"", std::string(30000, 'a')));
  EXPECT_TRUE(refusal().starts_with("eval.prompts[1]: found ")) << refusal();
  write_recipe(/*steps=*/6, /*max_new_tokens=*/4);
  write_text_file(folder_ / "empty.txt", "");
  replace_in_recipe("general = [\"general.jsonl\"]", "general = [\"empty.txt\"]");
  EXPECT_EQ(
      refusal(),
      "eval.general: found no document of two tokens, expected text to measure perplexity on\n");
  write_recipe(/*steps=*/6, /*max_new_tokens=*/4);
  learn_conversations(/*steps=*/3);
  replace_in_recipe("chat.jsonl", "domain.jsonl");
  EXPECT_NE(refusal().find("domain.jsonl:1: messages: found nothing"), std::string::npos)
      << refusal();
}

TEST_F(RunInputs, NameASandboxForProgramsThatModelsWrite) {
  ask_words();
  std::string task = read_text_file(folder_ / "tasks/words.toml");
  task.replace(task.find("multiple_choice"), 15, "generate");
  task.replace(task.find("acc"), 3, "pass@k");
  task.replace(task.find("choices"),
               std::string::npos,
               "target = \"{q}\"\n[generation]\nstops = [\"x\"]\n[program]\nafter = \"{q}\"\n");
  write_text_file(folder_ / "tasks/words.toml", task);
  EXPECT_EQ(
      refusal(),
      "eval.sandbox: found nothing, expected bubblewrap or rlimits (task words runs the programs "
      "that the model writes)\n");
}

TEST_F(RunInputs, HoldSomethingToLearn) {
  learn_conversations(/*steps=*/3);
  replace_in_recipe("seq_len = 64", "seq_len = 2");
  const Outcome outcome = run("run");
  EXPECT_EQ(outcome.exit_code, 1) << outcome.err;
  EXPECT_NE(
      outcome.err.find("chat.jsonl: found nothing to learn in sequences of 2 tokens, expected an "
                       "assistant's turn within them"),
      std::string::npos)
      << outcome.err;
}

}  // namespace
}  // namespace slayer
