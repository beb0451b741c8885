#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

namespace slayer {

/// A confidence interval.
struct Interval {
  double low = 0.0;
  double high = 0.0;
};

/// How intervals are drawn; the same options give the same interval.
struct BootstrapOptions {
  int64_t draws = 10'000;
  uint64_t seed = 1234;
  double level = 0.95;
};

/// Percentile bootstrap interval of sum(values) / sum(weights), resampling the pairs: a loss in
/// nats per token over documents (values: nats, weights: tokens), a mean over items (weights: 1),
/// or, with values that are differences between two models on the same documents, the paired
/// interval of a change. Both spans have the same, non-zero size.
Interval bootstrap_ratio(std::span<const double> values,
                         std::span<const double> weights,
                         const BootstrapOptions& options);

/// Interval of the mean of several groups' means, resampling the values within each group.
Interval bootstrap_mean_of_means(std::span<const std::vector<double>> groups,
                                 const BootstrapOptions& options);

/// The interval that holds `level` of what was drawn, by percentiles. `draws` is not empty.
Interval percentile_interval(std::vector<double> draws, double level);

/// Uniform in [0, bound), the same on every standard library.
size_t draw_below(std::mt19937& generator, uint64_t bound);

double mean(std::span<const double> values);

/// Sample standard deviation (n - 1) over sqrt(n), as lm-evaluation-harness reports it; 0 for
/// fewer than two values.
double standard_error(std::span<const double> values);

/// Two-sided exact McNemar test: the probability of a split at least as uneven as `gained` against
/// `lost` flips if both were equally likely.
double mcnemar_exact(int64_t gained, int64_t lost);

}  // namespace slayer
