#include "slayer/eval/statistics.h"

#include <cmath>
#include <gtest/gtest.h>
#include <vector>

namespace slayer {
namespace {

/// Of a mean over items.
Interval bootstrap_mean(const std::vector<double>& values, const BootstrapOptions& options) {
  return bootstrap_ratio(values, std::vector<double>(values.size(), 1.0), options);
}

TEST(StandardError, IsTheSampleDeviationOverTheRootOfTheCount) {
  const std::vector<double> values{1.0, 0.0, 1.0, 1.0};
  EXPECT_DOUBLE_EQ(mean(values), 0.75);
  EXPECT_DOUBLE_EQ(standard_error(values), 0.25);
  EXPECT_EQ(standard_error(std::vector<double>{1.0}), 0.0);
}

TEST(Bootstrap, GivesTheSameIntervalForTheSameSeed) {
  const std::vector<double> values{0.1, 1.7, 1.3, 0.4, 2.6, 1.9, 0.2, 3.1};
  const Interval first = bootstrap_mean(values, {.draws = 500});
  const Interval second = bootstrap_mean(values, {.draws = 500});
  const Interval other = bootstrap_mean(values, {.draws = 500, .seed = 1});
  EXPECT_EQ(first.low, second.low);
  EXPECT_EQ(first.high, second.high);
  EXPECT_TRUE(first.low != other.low || first.high != other.high);
}

TEST(Bootstrap, AgreesWithTheNormalIntervalOfManyValues) {
  std::vector<double> values;
  for (int i = 0; i < 1000; ++i) {
    values.push_back(std::sin(i) + (i % 7));
  }
  const Interval interval = bootstrap_mean(values, {});
  const double half_width = 1.96 * standard_error(values);
  EXPECT_NEAR(interval.low, mean(values) - half_width, 0.1 * half_width);
  EXPECT_NEAR(interval.high, mean(values) + half_width, 0.1 * half_width);
}

TEST(Bootstrap, WeighsByTheWeights) {
  // Both documents cost 2 nats a token, whatever their lengths: no draw can differ.
  const Interval interval =
      bootstrap_ratio(std::vector{20.0, 4.0}, std::vector{10.0, 2.0}, {.draws = 100});
  EXPECT_EQ(interval.low, 2.0);
  EXPECT_EQ(interval.high, 2.0);
}

TEST(McNemar, IsTheExactBinomialTest) {
  EXPECT_NEAR(mcnemar_exact(10, 2), 0.03857421875, 1e-12);
  EXPECT_NEAR(mcnemar_exact(2, 10), 0.03857421875, 1e-12);
  EXPECT_NEAR(mcnemar_exact(100, 140), 0.011664092317677663, 1e-12);
  EXPECT_EQ(mcnemar_exact(3, 3), 1.0);
  EXPECT_EQ(mcnemar_exact(0, 0), 1.0);
}

}  // namespace
}  // namespace slayer
