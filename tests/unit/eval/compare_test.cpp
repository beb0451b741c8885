#include "slayer/eval/compare.h"

#include <gtest/gtest.h>

#include "slayer/eval/evaluation.h"

#include "tests/support/error_message.h"
#include "tests/support/text_file.h"

namespace slayer {
namespace {

/// An evaluation of one task with these accuracies.
TaskResult result_of(const std::vector<double>& accuracies, int64_t shots = 0) {
  TaskResult result;
  result.metrics = {{"acc", mean(accuracies)}, {"acc_stderr", 0.1}, {"items", accuracies.size()}};
  result.config = {{"num_fewshot", shots}};
  for (size_t i = 0; i < accuracies.size(); ++i) {
    result.samples.push_back({{"doc_id", i}, {"acc", accuracies[i]}, {"answer", "x"}});
  }
  return result;
}

EvaluationFile evaluation(const std::vector<double>& domain, const std::vector<double>& general) {
  EvaluationFile file("hash");
  file.add_task("law", result_of(domain));
  file.add_task("arc", result_of(general));
  return file;
}

TEST(Compare, CountsFlipsAndTestsThem) {
  const auto base = evaluation({0, 0, 0, 1}, {1, 1, 0, 1});
  const auto changed = evaluation({1, 1, 0, 1}, {1, 0, 0, 0});
  const Comparison comparison =
      compare_evaluations(base, changed, "new", {.domain_tasks = {"law"}});
  ASSERT_EQ(comparison.domain.size(), 1U);
  ASSERT_EQ(comparison.general.size(), 1U);
  const MetricChange& law = comparison.domain[0];
  EXPECT_EQ(law.metric, "acc");
  EXPECT_DOUBLE_EQ(law.difference, 0.5);
  EXPECT_EQ(law.gained, (std::vector<int64_t>{0, 1}));
  EXPECT_TRUE(law.lost.empty());
  EXPECT_DOUBLE_EQ(law.p_value.value(), 0.5);
  EXPECT_LE(law.interval.low, 0.5);
  EXPECT_GE(law.interval.high, 0.5);
  EXPECT_DOUBLE_EQ(comparison.forgetting.value(), 0.5);
  EXPECT_LE(comparison.forgetting_interval.low, 0.5);
  EXPECT_GE(comparison.forgetting_interval.high, 0.5);
}

TEST(Compare, WeighsLossesByTokens) {
  EvaluationFile base("a");
  EvaluationFile changed("b");
  PerplexityResult result;
  result.documents = {{.loss = 20.0, .tokens = 10}, {.loss = 2.0, .tokens = 2}};
  base.add_text("t.txt", result, {{"seq_len", 8}});
  result.documents = {{.loss = 10.0, .tokens = 10}, {.loss = 2.0, .tokens = 2}};
  changed.add_text("t.txt", result, {{"seq_len", 8}});
  const Comparison comparison = compare_evaluations(base, changed, "new", {});
  ASSERT_EQ(comparison.general.size(), 1U);
  EXPECT_NEAR(comparison.general[0].base, 22.0 / 12.0, 1e-12);
  EXPECT_NEAR(comparison.general[0].difference, -10.0 / 12.0, 1e-12);
  EXPECT_FALSE(comparison.general[0].p_value);
  EXPECT_FALSE(comparison.forgetting);
}

TEST(Compare, TakesAGroupAsOneTaskOfAllItsItems) {
  const auto grouped = [](const std::vector<double>& a, const std::vector<double>& b) {
    EvaluationFile file("hash");
    file.add_task("g_a", result_of(a));
    file.add_task("g_b", result_of(b));
    file.add_task("arc", result_of({1, 1}));
    file.add_group({.name = "g", .tasks = {"g_a", "g_b"}});
    return file;
  };
  const auto base = grouped({1, 1, 1}, {1});
  const auto changed = grouped({1, 0, 0}, {1});
  Comparison comparison = compare_evaluations(base, changed, "new", {});
  ASSERT_EQ(comparison.general.size(), 2U);
  EXPECT_EQ(comparison.general[0].task, "g");
  EXPECT_EQ(comparison.general[0].items, 4);
  EXPECT_DOUBLE_EQ(comparison.general[0].difference, -0.5);
  EXPECT_DOUBLE_EQ(comparison.forgetting.value(), 0.25);  // (0.5 of g + 0 of arc) / 2
  ASSERT_EQ(comparison.flips.size(), 2U);
  EXPECT_EQ(comparison.flips[1].task, "g_a");
  EXPECT_EQ(comparison.flips[1].doc_id, 2);
  comparison = compare_evaluations(base, changed, "new", {.domain_tasks = {"g_b"}});
  EXPECT_EQ(comparison.domain[0].task, "g_b");
  EXPECT_EQ(comparison.general[0].task, "g (the rest)");
  EXPECT_EQ(comparison.general[0].items, 3);
  comparison =
      compare_evaluations(base, changed, "new", {.domain_tasks = {"g"}, .general_tasks = {"arc"}});
  EXPECT_EQ(comparison.domain[0].task, "g");
  EXPECT_EQ(comparison.general.size(), 1U);
}

TEST(Compare, RefusesWhatCannotBePaired) {
  const auto base = evaluation({0, 1}, {1, 1});
  EXPECT_EQ(message_of([&] { compare_evaluations(base, EvaluationFile("x"), "n.json", {}); }),
            "n.json: items: found no task of the base evaluation, expected at least one in common");
  EXPECT_EQ(message_of([&] { compare_evaluations(base, base, "n", {.domain_tasks = {"lw"}}); }),
            "task lw: found nothing in one of the evaluations, expected this task in both");
  EvaluationFile other("x");
  other.add_task("law", result_of({1, 1}, 5));
  EXPECT_EQ(message_of([&] { compare_evaluations(base, other, "n", {}); }),
            "task law: found num_fewshot 0 and 5, expected the same in both evaluations");
  EvaluationFile shorter("x");
  shorter.add_task("law", result_of({1}));
  EXPECT_EQ(message_of([&] { compare_evaluations(base, shorter, "n", {}); }),
            "task law: found other items in the two evaluations, expected the same items");
}

TEST(Compare, ShowsTheItemsThatFlipped) {
  const auto with_texts = [](const std::string& said, double acc) {
    TaskResult result = result_of({acc, 1.0});
    result.samples[0]["question"] = "Why?\nSo.";
    result.samples[0]["expected"] = "this";
    result.samples[0]["said"] = said;
    EvaluationFile file("hash");
    file.add_task("law", result);
    return file;
  };
  const Comparison comparison = compare_evaluations(
      with_texts("that", 0.0), with_texts("this", 1.0), "new", {.domain_tasks = {"law"}});
  EXPECT_EQ(compact_text(comparison_to_json(comparison)["flips"]),
            R"([{"task":"law","doc_id":0,"became":"right","question":"Why?\nSo.",)"
            R"("expected":"this","base":"that","new":"this"}])");
  const std::string list =
      "law became right (1 of 1):\n  item 0: Why?\\x0aSo. expected: this; base: that; new: this\n";
  EXPECT_TRUE(comparison_to_text(comparison, 3).ends_with(list))
      << comparison_to_text(comparison, 3);
  EXPECT_EQ(comparison_to_text(comparison, 0).find("became"), std::string::npos);
}

TEST(Compare, PrintsTwoBlocksAndForgetting) {
  const auto base = evaluation({0, 0}, {1, 1});
  const auto comparison = compare_evaluations(base, base, "new.json", {.domain_tasks = {"law"}});
  EXPECT_EQ(comparison_to_markdown(comparison, 3),
            "## new.json\n\n### Domain tasks\n\n"
            "| task | metric | base | new | difference | 95 % interval | flips |\n"
            "|---|---|--:|--:|--:|---|---|\n"
            "| law | acc | 0.0000 | 0.0000 | +0.0000 | +0.0000 to +0.0000 | +0/-0, p 1.0000 |\n\n"
            "### General tasks\n\n"
            "| task | metric | base | new | difference | 95 % interval | flips |\n"
            "|---|---|--:|--:|--:|---|---|\n"
            "| arc | acc | 1.0000 | 1.0000 | +0.0000 | +0.0000 to +0.0000 | +0/-0, p 1.0000 |\n\n"
            "forgetting (mean drop over general tasks): +0.0000 (+0.0000 to +0.0000)\n");
  EXPECT_EQ(compact_text(comparison_to_json(comparison)["forgetting"]),
            R"({"mean_drop":0.0,"low":0.0,"high":0.0})");
}

TEST(EvaluationFile, ReadsBackWhatItWrote) {
  const ScratchFolder folder;
  const auto base = evaluation({0, 1}, {1, 1});
  const std::string path = file_in(folder, "e.json", compact_text(base.json()));
  EXPECT_EQ(EvaluationFile::read(path).json(), base.json());
  const std::string wrong = file_in(folder, "w.json", R"({"format": 2})");
  EXPECT_EQ(message_of([&] { EvaluationFile::read(wrong); }),
            wrong + ": format: found 2, expected an integer from 1 to 1");
}

}  // namespace
}  // namespace slayer
