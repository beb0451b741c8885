#include <gtest/gtest.h>
#include <limits>

#include "slayer/probe/race.h"
#include "slayer/probe/resampling.h"
#include "slayer/probe/summary.h"

namespace slayer {
namespace {

constexpr double kNotMeasured = std::numeric_limits<double>::quiet_NaN();

TEST(Spearman, IsOneForAnyRisingAndMinusOneForAnyFallingPair) {
  const std::vector<double> depth{0, 1, 2, 3};
  EXPECT_DOUBLE_EQ(spearman(depth, std::vector<double>{1, 10, 11, 1000}).value(), 1.0);
  EXPECT_DOUBLE_EQ(spearman(depth, std::vector<double>{9, 5, 4.5, -2}).value(), -1.0);
}

TEST(Spearman, GivesTiesTheirMeanRank) {
  // scipy.stats.spearmanr([1, 2, 3, 4, 5], [3, 1, 1, 7, 5]).statistic
  const std::vector<double> x{1, 2, 3, 4, 5};
  EXPECT_NEAR(spearman(x, std::vector<double>{3, 1, 1, 7, 5}).value(), 0.5642880936468347, 1e-12);
}

TEST(Spearman, IsNothingForAConstantOrTwoValues) {
  EXPECT_FALSE(spearman(std::vector<double>{1, 2, 3}, std::vector<double>{4, 4, 4}));
  EXPECT_FALSE(spearman(std::vector<double>{1, 2}, std::vector<double>{1, 2}));
}

TEST(Resampling, GivesTheIntervalOfEvalsBootstrap) {
  const std::vector<double> values{3, 5, 4, 9, 1, 2};
  const std::vector<double> weights{1, 2, 1, 3, 1, 1};
  const BootstrapOptions options{.draws = 500};
  const Interval expected = bootstrap_ratio(values, weights, options);
  const Interval interval =
      percentile_interval(Resampling(6, options).ratios(values, weights), options.level);
  EXPECT_DOUBLE_EQ(interval.low, expected.low);
  EXPECT_DOUBLE_EQ(interval.high, expected.high);
}

TEST(Resampling, PairsVariantsUnderTheSameDraw) {
  const std::vector<double> values{3, 5, 4, 9};
  const std::vector<double> shifted{4, 6, 5, 10};
  const std::vector<double> weights{1, 1, 1, 1};
  const Resampling resampling(4, {.draws = 50});
  const std::vector<double> first = resampling.ratios(values, weights);
  const std::vector<double> second = resampling.ratios(shifted, weights);
  for (size_t draw = 0; draw < first.size(); ++draw) {
    EXPECT_DOUBLE_EQ(second[draw] - first[draw], 1.0);
  }
}

/// Six groups of weight 2 in three units.
ProbeSet made_set() {
  ProbeSet set{.name = "made", .measures = {{.name = "loss", .higher_is_better = false}}};
  for (size_t group = 0; group < 6; ++group) {
    set.groups.emplace_back();
    set.unit_of_group.push_back(group / 2);
    set.weights.push_back(2.0);
  }
  set.units = 3;
  return set;
}

std::vector<Variant> made_variants(size_t removed) {
  std::vector<Variant> variants{{.method = "base"}};
  for (size_t layer = 0; layer < removed; ++layer) {
    variants.push_back({.method = "remove", .layer = static_cast<int64_t>(layer)});
  }
  return variants;
}

TEST(SummarizeSweep, PairsEachVariantWithTheBaseOnTheGroupsItWasMeasuredOn) {
  const SweepScores scores{.values = {{{2, 4, 6, 8, 10, 12}},
                                      {{3, 5, 7, 9, 11, 13}},
                                      {{4, 6, kNotMeasured, kNotMeasured, 12, 14}}}};
  const SweepSummary summary = summarize_sweep(made_set(), scores, 0, {.draws = 100});
  EXPECT_DOUBLE_EQ(summary.variants[0].value, 42.0 / 12.0);
  EXPECT_DOUBLE_EQ(summary.variants[1].dip, 0.5);
  EXPECT_DOUBLE_EQ(summary.variants[1].dip_interval.value().low, 0.5);
  EXPECT_DOUBLE_EQ(summary.variants[1].dip_interval.value().high, 0.5);
  EXPECT_DOUBLE_EQ(summary.variants[2].dip, 1.0);
  EXPECT_EQ(summary.variants[2].groups, 4U);
}

TEST(SummarizeSweep, CountsALowerAccuracyAsADip) {
  ProbeSet set = made_set();
  set.measures = {{.name = "acc", .higher_is_better = true}};
  const SweepScores scores{.values = {{{2, 2, 2, 2, 2, 2}}, {{0, 0, 0, 0, 0, 0}}}};
  const SweepSummary summary = summarize_sweep(set, scores, 0, {.draws = 10});
  EXPECT_DOUBLE_EQ(summary.variants[1].dip, 1.0);
  EXPECT_DOUBLE_EQ(summary.variants[1].value, 0.0);
}

TEST(MethodJson, SaysWhichNeighboursCannotBeToldApart) {
  // Layer 0 is far worse; 1 and 2 trade places from document to document.
  const SweepScores scores{.values = {{{2, 2, 2, 2, 2, 2}},
                                      {{20, 21, 22, 20, 21, 22}},
                                      {{4, 4, 3, 3, 6, 6}},
                                      {{3, 3, 5, 5, 4, 4}}}};
  const SweepSummary summary = summarize_sweep(made_set(), scores, 0, {.draws = 200});
  const Json json = method_json(summary, made_variants(3), "remove", 6);
  EXPECT_EQ(compact_text(json["indistinguishable"]), "[[1,2]]");
  EXPECT_EQ(json["layers"][0]["layer"], 0);
  EXPECT_DOUBLE_EQ(json["layers"][0]["dip"].get<double>(), 9.5);
  EXPECT_DOUBLE_EQ(json["spearman"]["rho"].get<double>(), -1.0);
  EXPECT_LE(json["spearman"]["low"].get<double>(), -1.0 + 1e-12);
  EXPECT_GT(json["spearman"]["high"].get<double>(), -1.0);
}

TEST(DifferenceJson, SubtractsTheDipsOfTwoTexts) {
  const SweepScores first{.values = {{{2, 2, 2, 2, 2, 2}}, {{8, 8, 8, 8, 8, 8}}}};
  const SweepScores second{.values = {{{2, 2, 2, 2, 2, 2}}, {{4, 4, 4, 4, 4, 4}}}};
  const BootstrapOptions bootstrap{.draws = 20};
  const Json json = difference_json(summarize_sweep(made_set(), first, 0, bootstrap),
                                    summarize_sweep(made_set(), second, 0, bootstrap),
                                    made_variants(1),
                                    "remove");
  EXPECT_EQ(compact_text(json), R"({"layers":[{"layer":0,"dip":2.0,"low":2.0,"high":2.0}]})");
}

/// A variant's values: `mean` with a little noise of its own.
std::vector<std::vector<double>> noisy(double mean, size_t seed) {
  std::vector<double> values;
  for (size_t group = 0; group < 6; ++group) {
    values.push_back(2.0 * (mean + 0.01 * static_cast<double>((seed * 7 + group * 5) % 11)));
  }
  return {values};
}

TEST(Race, StopsWhatIsCertainlyInTheMiddleAndKeepsBaseAndExtremes) {
  const SweepScores scores{
      .values = {noisy(1, 0), noisy(5, 1), noisy(4, 2), noisy(3, 3), noisy(2.99, 4), noisy(2, 5)}};
  const std::vector<size_t> all{0, 1, 2, 3, 4, 5};
  const auto race = [&](size_t groups, int64_t wanted) {
    return survivors(made_set(), made_variants(5), scores, all, groups, wanted);
  };
  EXPECT_EQ(race(6, 1), (std::vector<size_t>{0, 1, 5}));
  EXPECT_EQ(race(6, 2), (std::vector<size_t>{0, 1, 2, 3, 4, 5}));  // 3 and 4: who is second last?
  EXPECT_EQ(race(3, 1), all);                                      // Too early to say.
}

TEST(Race, KeepsVariantsThatNoiseMixes) {
  SweepScores scores{.values = {noisy(1, 0), noisy(3, 1), noisy(3, 2), noisy(3, 3)}};
  scores.values[1][0] = {9, 1, 8, 2, 7, 3};
  scores.values[2][0] = {5, 5, 5, 5, 5, 5};
  scores.values[3][0] = {1, 9, 2, 8, 3, 7};
  const std::vector<size_t> all{0, 1, 2, 3};
  EXPECT_EQ(survivors(made_set(), made_variants(3), scores, all, 6, 1), all);
}

}  // namespace
}  // namespace slayer
