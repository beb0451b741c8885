#include <gtest/gtest.h>

#include "slayer/checkpoint/checkpoint.h"
#include "slayer/eval/evaluation.h"
#include "slayer/model/apply_plan.h"
#include "slayer/probe/bar_chart.h"
#include "slayer/probe/probe.h"
#include "slayer/surgery/strategies.h"

#include "tests/support/error_message.h"
#include "tests/support/probe_text.h"
#include "tests/support/text_file.h"

namespace slayer {
namespace {

constexpr const char* kModel = SLAYER_FIXTURES "/models/smollm";

/// A task with few-shot examples, whose items share a long beginning.
class TaskSetTest : public testing::Test {
 protected:
  TaskSetTest() {
    std::string test;
    for (int row = 0; row < 9; ++row) {
      test += fmt::format(
          "{{\"q\": \"What comes {}?\", \"c\": [\"this\", \"that one\", \"no\"], \"a\": {}}}\n",
          std::string(static_cast<size_t>(row), 'm'),
          row % 3);
    }
    file_in(folder_, "data/o/n/c/test.jsonl", test + "{\"q\": \"unusable\"}\n");
    file_in(folder_,
            "data/o/n/c/dev.jsonl",
            R"({"q": "Which is first of all?", "c": ["this", "that", "no"], "a": 2})");
  }

  Task task(const std::string& head) {
    file_ = file_in(folder_,
                    "t.toml",
                    "task = \"t\"\nversion = 1\nsource = \"\"\n" + head +
                        "\n[data]\npath = \"o/n/c\"\nsplit = \"test\"\n");
    TaskCatalogue catalogue;
    add_task_file(file_, catalogue);
    return catalogue.tasks.at("t");
  }

  Task multiple_choice() {
    return task(
        "kind = \"multiple_choice\"\nmetrics = [\"acc\"]\n"
        "[few_shot]\nsplit = \"dev\"\npick = \"first\"\n"
        "[prompt]\ndescription = \"Answer these questions about nothing at all.\\n\"\n"
        "text = \"Q: {q}\"\nchoices = \"{c}\"\ngold = \"{a}\"");
  }

  ProbeSet set_of(const Task& made, int64_t shots = 1, int64_t most_tokens = 1024) {
    return task_set(made, folder_ / "data", {.num_fewshot = shots}, tokenizer_, most_tokens);
  }

  ScratchFolder folder_;
  std::filesystem::path file_;
  Tokenizer tokenizer_ = Tokenizer::from_side_files(Checkpoint::open(kModel).side_files(), kModel);
};

TEST_F(TaskSetTest, ScoresEachVariantAsEvalDoesAlone) {
  const CausalLM model = fixture_model("smollm");
  const Task made = multiple_choice();
  ProbeJournal journal;
  const Json json = run_probe(model,
                              "hash",
                              {{.tasks = {set_of(made)}}},
                              {.methods = {.remove = true}, .bootstrap = {.draws = 50}},
                              {.journal = journal});
  const Json& probed = json["tasks"]["t"];
  EXPECT_EQ(probed["task"]["items"], 9);
  EXPECT_EQ(probed["task"]["num_fewshot"], 1);
  for (int64_t layer = 0; layer < 4; ++layer) {
    EvaluationOptions options;
    options.data_dir = folder_ / "data";
    options.samples_folder = folder_ / std::to_string(layer);
    options.items.num_fewshot = 1;
    const TaskResult expected = evaluate_task(
        apply_plan(model, prune_plan(4, {.layers = {layer}})), tokenizer_, made, options);
    double loglikelihood = 0.0;
    for (size_t item = 0; item < 9; ++item) {
      loglikelihood += expected.samples[item]["loglikelihoods"][item % 3].get<double>();
    }
    const auto index = static_cast<size_t>(layer);
    const Json& acc = probed["acc"]["remove"]["layers"][index];
    EXPECT_DOUBLE_EQ(acc["acc"].get<double>(), expected.metrics["acc"].get<double>());
    EXPECT_NEAR(acc["dip"].get<double>(),
                probed["acc"]["base"]["acc"].get<double>() - acc["acc"].get<double>(),
                1e-12);
    EXPECT_NEAR(probed["loglikelihood"]["remove"]["layers"][index]["loglikelihood"].get<double>(),
                loglikelihood / 9.0,
                1e-4);
  }
  EXPECT_NE(format_probe(json).find("t: each layer removed"), std::string::npos);
}

TEST_F(TaskSetTest, LetsItemsShareTheirExamples) {
  const ProbeSet set = set_of(multiple_choice());
  const auto chunks = pack_groups(set.groups, {}, at::Device(at::kCPU));
  ASSERT_EQ(chunks.size(), 1U);
  EXPECT_GT(chunks[0].prefix.size(), 30U);
}

TEST_F(TaskSetTest, AddsUpRightChoicesWhereThereAreSeveral) {
  file_in(folder_,
          "data/o/n/c/test.jsonl",
          R"({"q": "Which?", "c": ["this", "that", "no"], "r": [1, 0, 1]})");
  const ProbeSet set =
      set_of(task("kind = \"multiple_choice\"\nmetrics = [\"acc\"]\n"
                  "[prompt]\ntext = \"Q: {q}\"\nchoices = \"{c}\"\nright = \"{r}\""),
             /*shots=*/0);
  const std::vector<SequenceScore> scores{{.loglikelihood = std::log(0.2)},
                                          {.loglikelihood = std::log(0.5)},
                                          {.loglikelihood = std::log(0.1)}};
  const std::vector<double> values = set.values(0, scores);
  EXPECT_NEAR(values[0], 0.3 / 0.8, 1e-12);
  EXPECT_NEAR(values[1], std::log(0.3), 1e-12);
}

TEST_F(TaskSetTest, RefusesTasksWithoutAnswersToScore) {
  const Task rolling = task(
      "kind = \"rolling_loglikelihood\"\nmetrics = [\"bits_per_byte\"]\n[prompt]\ntext = \"{q}\"");
  EXPECT_EQ(
      message_of([&] { set_of(rolling); }),
      file_.string() +
          ": t: found a task of generated or whole texts, expected one with answers to score: "
          "multiple choice or loglikelihood");
}

TEST_F(TaskSetTest, RefusesDataOfWhichNothingFits) {
  const std::string message =
      message_of([&] { set_of(multiple_choice(), /*shots=*/0, /*most_tokens=*/1); });
  EXPECT_EQ(message.substr(0, message.find(" (")),
            file_.string() + ": t: found no item that can be scored, expected at least one");
}

}  // namespace
}  // namespace slayer
