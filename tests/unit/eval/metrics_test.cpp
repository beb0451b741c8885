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
  EXPECT_EQ(compact_text(sample),
            R"({"doc_id":0,"question":"","loglikelihoods":[-2.0,-2.5],"gold":1,)"
            "\"expected\":\"\xc3\xa9\xc3\xa9\xc3\xa9\",\"choices\":[\"ab\","
            "\"\xc3\xa9\xc3\xa9\xc3\xa9\"],\"said\":\"ab\",\"acc\":0.0,\"acc_norm\":1.0}");
}

TEST(Accuracy, IsAShareOfProbabilityWhereSeveralChoicesAreRight) {
  const Task task = task_of(TaskKind::kMultipleChoice, {"acc"});
  Item item;
  item.choices = {"a", "b", "c"};
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

TEST(ExactMatch, ComparesNumbersWithinATolerance) {
  Task task = task_of(TaskKind::kGenerate, {"exact_match"});
  task.filters.push_back({.name = "all"});
  task.tolerance = 1e-3;
  Item item;
  item.target = "18";
  const auto score = [&](const std::string& answer) {
    return score_generation(task, item, answer)["exact_match,all"].get<double>();
  };
  EXPECT_EQ(score(" 18.0009\n"), 1.0);
  EXPECT_EQ(score("18.002"), 0.0);
  EXPECT_EQ(score("18 apples"), 0.0);
  EXPECT_EQ(score("nan"), 0.0);
}

TEST(BalancedAccuracy, IsTheMeanOfTheClassesOwn) {
  const Task task = task_of(TaskKind::kMultipleChoice, {"balanced_acc"});
  const std::vector<Json> samples{{{"gold", 0}, {"balanced_acc", 1.0}},
                                  {{"gold", 0}, {"balanced_acc", 1.0}},
                                  {{"gold", 0}, {"balanced_acc", 0.0}},
                                  {{"gold", 1}, {"balanced_acc", 0.0}}};
  EXPECT_NEAR(aggregate_samples(task, samples)["balanced_acc"].get<double>(), 1.0 / 3.0, 1e-12);
}

TEST(PassAtK, IsTheChanceThatOneOfKPasses) {
  EXPECT_EQ(pass_at_k(1, 1, 1), 1.0);
  EXPECT_EQ(pass_at_k(1, 0, 1), 0.0);
  EXPECT_NEAR(pass_at_k(5, 2, 1), 0.4, 1e-12);
  EXPECT_NEAR(pass_at_k(5, 2, 2), 0.7, 1e-12);  // 1 - C(3, 2) / C(5, 2)
  EXPECT_EQ(pass_at_k(5, 2, 4), 1.0);
  EXPECT_EQ(pass_at_k(5, 0, 5), 0.0);
}

TEST(Programs, PassOrPrintTheAnswer) {
  Task task = task_of(TaskKind::kGenerate, {"pass@k"});
  task.program = ProgramRule{.k = {1, 2, 3}};
  const std::vector<ProgramResult> results{{.has_passed = true, .outcome = "passed", .output = "7"},
                                           {.has_passed = false, .outcome = "no", .output = "7"}};
  Item item;
  item.target = "7";
  const Json passed = score_programs(task, item, {"a", "b"}, results);
  EXPECT_EQ(compact_text(passed),
            R"({"doc_id":0,"question":"","generated":["a","b"],"outcomes":["passed","no"],)"
            R"("pass@1":0.5,"pass@2":1.0,"said":"passed"})");
  EXPECT_EQ(aggregate_samples(task, {passed})["pass@2"], 1.0);
  EXPECT_FALSE(aggregate_samples(task, {passed}).contains("pass@3"));
  task.metrics = {"exact_match"};
  task.filters.push_back({.name = "output"});
  // What a program that failed had printed is no answer.
  EXPECT_EQ(score_programs(task, item, {"a", "b"}, results)["exact_match,output"], 0.5);
  EXPECT_EQ(score_programs(task, item, {"a"}, {results[0]})["generated"], "a");
}

TEST(Cut, IsNamedAndCounted) {
  const Task task = task_of(TaskKind::kMultipleChoice, {"acc"});
  Item item;
  item.place = "f: row 1: column q";
  Json sample = {{"doc_id", 1}, {"acc", 1.0}};
  note_cut(sample, item, 0, 8);
  EXPECT_FALSE(sample.contains("cut"));
  note_cut(sample, item, 12, 8);
  EXPECT_EQ(
      sample["cut"],
      "f: row 1: column q: found 12 tokens, expected at most the model's 8 (its front was left "
      "out)");
  EXPECT_EQ(aggregate_samples(task, {sample})["cut"], 1);
}

TEST(Aggregate, GivesMeansWithErrorsAndCountsProblems) {
  const Task task = task_of(TaskKind::kMultipleChoice, {"acc"});
  const std::vector<Json> samples{{{"doc_id", 0}, {"acc", 1.0}},
                                  {{"doc_id", 1}, {"problem", "bad"}},
                                  {{"doc_id", 2}, {"acc", 0.0}},
                                  {{"doc_id", 3}, {"acc", 1.0}},
                                  {{"doc_id", 4}, {"acc", 1.0}}};
  EXPECT_EQ(compact_text(aggregate_samples(task, samples)),
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
