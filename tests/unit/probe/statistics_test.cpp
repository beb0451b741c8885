#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <numeric>
#include <random>

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

TEST(SummarizeSweep, PairsTheDrawsOfVariantsThatMissSomeUnits) {
  // The second saw only the first of three units: draws without it have no value, and the others
  // must stay where they are.
  const SweepScores scores{
      .values = {{{2, 2, 2, 2, 2, 2}},
                 {{4, 4, 6, 6, 8, 8}},
                 {{5, 5, kNotMeasured, kNotMeasured, kNotMeasured, kNotMeasured}}}};
  const SweepSummary summary = summarize_sweep(made_set(), scores, 0, {.draws = 200});
  const std::vector<double>& whole = summary.variants[1].dip_draws;
  const std::vector<double>& part = summary.variants[2].dip_draws;
  ASSERT_EQ(whole.size(), part.size());
  size_t without = 0;
  for (size_t draw = 0; draw < whole.size(); ++draw) {
    without += std::isnan(part[draw]) ? 1 : 0;
    if (std::isnan(part[draw])) {
      EXPECT_GE(whole[draw], 2.0);  // Of the second and third unit only.
    }
  }
  EXPECT_GT(without, 20U);
  EXPECT_DOUBLE_EQ(summary.variants[2].dip_interval.value().low, 1.5);
  const Json json = method_json(summary, made_variants(2), "remove", 6);
  EXPECT_EQ(compact_text(json["indistinguishable"]).size(), 7U);
}

/// Losses of so many removals, each a group's difficulty, the variant's own mean and noise.
struct MadeRace {
  static constexpr size_t kGroups = 48;
  ProbeSet set;
  std::vector<Variant> variants;
  SweepScores scores;

  MadeRace(const std::vector<double>& means, double noise, uint32_t seed)
      : variants(made_variants(means.size())) {
    set.measures = {{.name = "loss", .higher_is_better = false}};
    std::mt19937 generator(seed);
    std::normal_distribution<double> normal;
    scores.values.assign(variants.size(), {std::vector<double>()});
    for (size_t group = 0; group < kGroups; ++group) {
      set.groups.emplace_back();
      set.weights.push_back(group % 5 == 0 ? 60.0 : 100.0);
      const double difficulty = 3.0 + normal(generator);
      for (size_t variant = 0; variant < variants.size(); ++variant) {
        const double mean = variant == 0 ? 0.0 : means[variant - 1];
        const double loss = difficulty + mean + noise * normal(generator);
        scores.values[variant][0].push_back(loss * set.weights.back());
      }
    }
  }

  struct Result {
    std::vector<size_t> measured;  ///< How many groups each variant was measured on.
    Extremes extremes = {};
  };

  /// Looked at after every other group.
  Result run(const RaceOptions& wanted) const {
    Race race(set, variants, wanted);
    SweepScores seen{.values = {variants.size(), {std::vector<double>(kGroups, kNotMeasured)}}};
    Result result{.measured = std::vector<size_t>(variants.size(), 0)};
    for (size_t groups = 2; groups <= kGroups; groups += 2) {
      for (const size_t variant : race.running()) {
        std::copy_n(
            scores.values[variant][0].begin(), groups, seen.values[variant].front().begin());
        result.measured[variant] = groups;
      }
      race.look(seen, groups);
    }
    result.extremes = race.extremes(seen).at("remove");
    return result;
  }

  /// The best and the worst on all groups.
  Extremes extremes(const RaceOptions& wanted) const {
    std::vector<size_t> order(variants.size() - 1);
    std::iota(order.begin(), order.end(), size_t{1});
    std::ranges::sort(order, {}, [&](size_t variant) {
      const std::vector<double>& values = scores.values[variant][0];
      return std::accumulate(values.begin(), values.end(), 0.0);
    });
    return {.best = {order.begin(), order.begin() + wanted.best},
            .worst = {order.rbegin(), order.rbegin() + wanted.worst}};
  }
};

/// As the dips of a model: many alike in the middle, a few that stand out.
std::vector<double> dips_of_layers() {
  std::vector<double> dips{8.0, 3.5, 0.9};
  for (int layer = 3; layer < 28; ++layer) {
    dips.push_back(0.1 + 0.02 * ((layer * 11) % 25));
  }
  dips.insert(dips.end(), {1.5, 3.0});
  return dips;
}

size_t total(const std::vector<size_t>& measured) {
  return std::accumulate(measured.begin(), measured.end(), size_t{0});
}

/// How many of the variants found are not among the right ones.
size_t absent(const std::vector<size_t>& found, const std::vector<size_t>& right) {
  return static_cast<size_t>(std::ranges::count_if(
      found, [&](size_t variant) { return std::ranges::find(right, variant) == right.end(); }));
}

TEST(Race, FindsTheBestAndTheWorstOfAFullSweepAndStopsAllEarly) {
  for (uint32_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    const MadeRace race(dips_of_layers(), /*noise=*/0.05, seed);
    for (const int64_t wanted : {1, 3, 5}) {
      const RaceOptions both{.best = wanted, .worst = wanted};
      const MadeRace::Result result = race.run(both);
      EXPECT_EQ(absent(result.extremes.best, race.extremes(both).best), 0);
      EXPECT_EQ(absent(result.extremes.worst, race.extremes(both).worst), 0);
      EXPECT_EQ(std::ssize(result.extremes.best), both.best);
      EXPECT_EQ(std::ssize(result.extremes.worst), both.worst);
      EXPECT_LT(total(result.measured), race.variants.size() * MadeRace::kGroups / 3);
      EXPECT_GE(std::ranges::min(result.measured), 6U);                  // Fewer say nothing.
      EXPECT_EQ(result.measured[0], std::ranges::max(result.measured));  // The base.
      EXPECT_LE(result.measured[1], 6U);  // The worst by far is settled as soon as the others.
    }
  }
}

TEST(Race, LooksOnlyAtTheEndThatIsWanted) {
  const MadeRace race(dips_of_layers(), /*noise=*/0.2, 0);
  const MadeRace::Result result = race.run({.best = 1});
  EXPECT_EQ(result.extremes.best, race.extremes({.best = 1}).best);
  EXPECT_TRUE(result.extremes.worst.empty());
  EXPECT_LT(total(result.measured), total(race.run({.best = 1, .worst = 5}).measured));
}

TEST(Race, StopsNobodyWhoseChanceIsRealHoweverManyAreAlike) {
  // Twelve variants that only noise tells apart: each look sees leaders, and none is certain.
  const RaceOptions wanted{.best = 2, .worst = 2};
  size_t wrong = 0;
  for (uint32_t seed = 0; seed < 20; ++seed) {
    const MadeRace race(std::vector<double>(12, 0.3), /*noise=*/0.2, seed);
    const Extremes found = race.run(wanted).extremes;
    const Extremes right = race.extremes(wanted);
    wrong += absent(found.best, right.best) + absent(found.worst, right.worst);
  }
  EXPECT_LE(wrong, 2U);  // Of 80.
}

TEST(Race, OrdersAllWhereAllAreWanted) {
  const MadeRace race({1.0, 4.0, 3.0, 2.0}, /*noise=*/0.001, 0);
  for (const int64_t wanted : {2, 3, 10}) {
    const Extremes found = race.run({.best = wanted, .worst = wanted}).extremes;
    const int64_t places = std::min<int64_t>(wanted, 4);
    EXPECT_EQ(found.best, race.extremes({.best = places}).best);
    EXPECT_EQ(found.worst, race.extremes({.worst = places}).worst);
  }
}

}  // namespace
}  // namespace slayer
