#include "slayer/probe/resampling.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <utility>

namespace slayer {
namespace {

/// Ranks from 0; equal values share the mean of theirs.
std::vector<double> ranks_of(std::span<const double> values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::sort(order, {}, [&](size_t i) { return values[i]; });
  std::vector<double> ranks(values.size());
  for (size_t begin = 0; begin < order.size();) {
    size_t end = begin + 1;
    while (end < order.size() && values[order[end]] == values[order[begin]]) {
      ++end;
    }
    for (size_t i = begin; i < end; ++i) {
      ranks[order[i]] = (static_cast<double>(begin) + static_cast<double>(end - 1)) / 2.0;
    }
    begin = end;
  }
  return ranks;
}

}  // namespace

Resampling::Resampling(size_t units, const BootstrapOptions& options) : units_(units) {
  std::mt19937 generator(static_cast<std::mt19937::result_type>(options.seed));
  counts_.resize(static_cast<size_t>(options.draws) * units);
  for (size_t row = 0; row < counts_.size(); row += units) {
    for (size_t i = 0; i < units; ++i) {
      ++counts_[row + draw_below(generator, units)];
    }
  }
}

std::vector<double> Resampling::ratios(std::span<const double> values,
                                       std::span<const double> weights) const {
  assert(values.size() == units_ && weights.size() == units_);
  std::vector<double> ratios;
  ratios.reserve(counts_.size() / units_);
  for (size_t row = 0; row < counts_.size(); row += units_) {
    double value = 0.0;
    double weight = 0.0;
    for (size_t unit = 0; unit < units_; ++unit) {
      const auto count = static_cast<double>(counts_[row + unit]);
      value += count * values[unit];
      weight += count * weights[unit];
    }
    ratios.push_back(weight > 0.0 ? value / weight : std::numeric_limits<double>::quiet_NaN());
  }
  return ratios;
}

std::optional<Interval> interval_of_draws(std::vector<double> draws, double level) {
  std::erase_if(draws, [](double draw) { return std::isnan(draw); });
  return draws.empty() ? std::nullopt : std::optional(percentile_interval(std::move(draws), level));
}

std::optional<double> spearman(std::span<const double> x, std::span<const double> y) {
  assert(x.size() == y.size());
  const std::vector<double> of_x = ranks_of(x);
  const std::vector<double> of_y = ranks_of(y);
  const double middle = (static_cast<double>(x.size()) - 1.0) / 2.0;
  double both = 0.0;
  double only_x = 0.0;
  double only_y = 0.0;
  for (size_t i = 0; i < x.size(); ++i) {
    both += (of_x[i] - middle) * (of_y[i] - middle);
    only_x += (of_x[i] - middle) * (of_x[i] - middle);
    only_y += (of_y[i] - middle) * (of_y[i] - middle);
  }
  if (x.size() < 3 || only_x == 0.0 || only_y == 0.0) {
    return std::nullopt;
  }
  return both / std::sqrt(only_x * only_y);
}

}  // namespace slayer
