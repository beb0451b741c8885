#include "slayer/eval/metrics.h"

#include <cmath>
#include <gtest/gtest.h>

#include "tests/support/error_message.h"

namespace slayer {
namespace {

std::vector<SequenceScore> scores(const std::vector<double>& loglikelihoods) {
  std::vector<SequenceScore> result;
  for (const double value : loglikelihoods) {
    result.push_back({.loglikelihood = value});
  }
  return result;
}

Task task_of(TaskKind kind, const std::vector<std::string>& metrics) {
  Task task;
  task.name = "t";
  task.kind = kind;
  task.metrics = metrics;
  return task;
}

TEST(Accuracy, TakesTheFirstOfTheLikeliest) {
  const Task task = task_of(TaskKind::kMultipleChoice, {"acc"});
  Item item;
  item.choices = {"a", "b", "c"};
  item.gold = 1;
  EXPECT_EQ(score_sample(task, item, scores({-3.0, -1.0, -1.0}))["acc"], 1.0);
  EXPECT_EQ(score_sample(task, item, scores({-1.0, -1.0, -3.0}))["acc"], 0.0);
}

TEST(Accuracy, IsNormalisedByCodePoints) {
  const Task task = task_of(TaskKind::kMultipleChoice, {"acc", "acc_norm"});
  Item item;
  item.choices = {"ab", "\xc3\xa9\xc3\xa9\xc3\xa9"};  // Two and three characters.
  item.gold = 1;
  const Json sample = score_sample(task, item, scores({-2.0, -2.5}));
  EXPECT_EQ(sample["acc"], 0.0);
  EXPECT_EQ(sample["acc_norm"], 1.0);
  EXPECT_EQ(sample.dump(),
            R"({"doc_id":0,"loglikelihoods":[-2.0,-2.5],"gold":1,"acc":0.0,"acc_norm":1.0})");
}

TEST(Accuracy, IsAShareOfProbabilityWhereSeveralChoicesAreRight) {
  const Task task = task_of(TaskKind::kMultipleChoice, {"acc"});
  Item item;
  item.right = {true, false, true};
  const auto sample =
      score_sample(task, item, scores({std::log(0.1), std::log(0.2), std::log(0.5)}));
  EXPECT_NEAR(sample["acc"].get<double>(), 0.75, 1e-12);
}

TEST(ExactMatch, ReadsAnswersThroughEachFilter) {
  Task task = task_of(TaskKind::kGenerate, {"exact_match"});
  task.filters.push_back(
      {.name = "strict", .pattern = TextPattern(R"(#### (\-?[0-9.,]+))", "", "")});
  task.filters.push_back({.name = "flexible",
                          .pattern = TextPattern(R"((-?[$0-9.,]{2,})|(-?[0-9]+))", "", ""),
                          .match = -1});
  for (const char* const pattern : {",", R"(\$)", "(?s).*#### ", R"(\.$)"}) {
    task.ignored.emplace_back(pattern, "", "");
  }
  Item item;
  item.target = "It is 5*200=1000\n#### 1,000";
  const Json right = score_generation(task, item, "so 7, then $1,000.");
  EXPECT_EQ(right["answer,strict"], "[invalid]");
  EXPECT_EQ(right["exact_match,strict"], 0.0);
  EXPECT_EQ(right["answer,flexible"], "$1,000.");
  EXPECT_EQ(right["exact_match,flexible"], 1.0);
  EXPECT_EQ(score_generation(task, item, "#### 1000 #### 3")["exact_match,strict"], 1.0);
}

TEST(Aggregate, GivesMeansWithErrorsAndCountsProblems) {
  const Task task = task_of(TaskKind::kMultipleChoice, {"acc"});
  const std::vector<Json> samples{{{"doc_id", 0}, {"acc", 1.0}},
                                  {{"doc_id", 1}, {"problem", "bad"}},
                                  {{"doc_id", 2}, {"acc", 0.0}},
                                  {{"doc_id", 3}, {"acc", 1.0}},
                                  {{"doc_id", 4}, {"acc", 1.0}}};
  EXPECT_EQ(aggregate_samples(task, samples).dump(),
            R"({"acc":0.75,"acc_stderr":0.25,"items":4,"problems":1})");
  EXPECT_EQ(message_of([&] { aggregate_samples(task, {samples[1]}); }),
            "task t: found none of 1 items scored, expected at least one (bad)");
}

TEST(Aggregate, TakesPerplexitiesFromSums) {
  const std::vector<Json> samples{{{"loglikelihood", -2.0}, {"words", 1}, {"bytes", 8}},
                                  {{"loglikelihood", -6.0}, {"words", 3}, {"bytes", 8}}};
  const Task rolling =
      task_of(TaskKind::kRolling, {"word_perplexity", "byte_perplexity", "bits_per_byte"});
  const Json result = aggregate_samples(rolling, samples);
  EXPECT_NEAR(result["word_perplexity"].get<double>(), std::exp(2.0), 1e-12);
  EXPECT_NEAR(result["byte_perplexity"].get<double>(), std::exp(0.5), 1e-12);
  EXPECT_NEAR(result["bits_per_byte"].get<double>(), 0.5 / std::log(2.0), 1e-12);
  const Task task = task_of(TaskKind::kLoglikelihood, {"perplexity"});
  EXPECT_NEAR(aggregate_samples(task, samples)["perplexity"].get<double>(), std::exp(4.0), 1e-9);
}

TEST(AggregateGroup, WeighsTasksByTheirItems) {
  const Json group = aggregate_group({{{"acc", 1.0}, {"acc_stderr", 0.0}, {"items", 3}},
                                      {{"acc", 0.5}, {"acc_stderr", 0.5}, {"items", 2}}});
  EXPECT_DOUBLE_EQ(group["acc"].get<double>(), 0.8);
  // sqrt(((3 - 1) * 0 * 3 + (2 - 1) * 0.25 * 2) / (5 - 2) / 5)
  EXPECT_DOUBLE_EQ(group["acc_stderr"].get<double>(), std::sqrt(0.5 / 3.0 / 5.0));
  EXPECT_EQ(group["items"], 5);
}

}  // namespace
}  // namespace slayer
