#include "slayer/eval/statistics.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

namespace slayer {
namespace {

/// Linear interpolation between order statistics, numpy's default.
double quantile(const std::vector<double>& sorted, double probability) {
  const double position = probability * static_cast<double>(sorted.size() - 1);
  const auto below_position = static_cast<size_t>(position);
  const size_t above = std::min(below_position + 1, sorted.size() - 1);
  const double share = position - static_cast<double>(below_position);
  return sorted[below_position] + share * (sorted[above] - sorted[below_position]);
}

/// The percentile interval of a statistic that `draw` computes of one resampling.
template <typename Draw>
Interval interval_of_draws(const BootstrapOptions& options, const Draw& draw) {
  std::mt19937 generator(static_cast<std::mt19937::result_type>(options.seed));
  std::vector<double> drawn(static_cast<size_t>(options.draws));
  std::ranges::generate(drawn, [&] { return draw(generator); });
  return percentile_interval(std::move(drawn), options.level);
}

}  // namespace

Interval percentile_interval(std::vector<double> draws, double level) {
  std::ranges::sort(draws);
  const double tail = (1.0 - level) / 2.0;
  return {.low = quantile(draws, tail), .high = quantile(draws, 1.0 - tail)};
}

/// Source: Lemire 2019, arXiv 1805.10941; the bias of leaving out his rejection step is below
/// bound / 2^32, nothing for a bootstrap.
size_t draw_below(std::mt19937& generator, uint64_t bound) {
  return (static_cast<uint64_t>(generator()) * bound) >> 32U;
}

Interval bootstrap_ratio(std::span<const double> values,
                         std::span<const double> weights,
                         const BootstrapOptions& options) {
  assert(!values.empty() && values.size() == weights.size());
  return interval_of_draws(options, [&](std::mt19937& generator) {
    double value = 0.0;
    double weight = 0.0;
    for (size_t i = 0; i < values.size(); ++i) {
      const size_t picked = draw_below(generator, values.size());
      value += values[picked];
      weight += weights[picked];
    }
    return value / weight;
  });
}

Interval bootstrap_mean_of_means(std::span<const std::vector<double>> groups,
                                 const BootstrapOptions& options) {
  return interval_of_draws(options, [&](std::mt19937& generator) {
    double sum_of_means = 0.0;
    for (const std::vector<double>& values : groups) {
      double sum = 0.0;
      for (size_t i = 0; i < values.size(); ++i) {
        sum += values[draw_below(generator, values.size())];
      }
      sum_of_means += sum / static_cast<double>(values.size());
    }
    return sum_of_means / static_cast<double>(groups.size());
  });
}

double mean(std::span<const double> values) {
  assert(!values.empty());
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double standard_error(std::span<const double> values) {
  if (values.size() < 2) {
    return 0.0;
  }
  const double center = mean(values);
  double squares = 0.0;
  for (const double value : values) {
    squares += (value - center) * (value - center);
  }
  const auto count = static_cast<double>(values.size());
  return std::sqrt(squares / (count - 1.0) / count);
}

double mcnemar_exact(int64_t gained, int64_t lost) {
  const int64_t flips = gained + lost;
  const auto n = static_cast<double>(flips);
  double tail = 0.0;
  for (int64_t k = 0; k <= std::min(gained, lost); ++k) {
    const auto chosen = static_cast<double>(k);
    tail += std::exp(std::lgamma(n + 1.0) - std::lgamma(chosen + 1.0) -
                     std::lgamma(n - chosen + 1.0) - n * std::log(2.0));
  }
  return std::min(1.0, 2.0 * tail);
}

}  // namespace slayer
