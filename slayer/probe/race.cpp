#include "slayer/probe/race.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <random>
#include <string>

namespace slayer {
namespace {

/// Fewer say nothing about spread.
constexpr size_t kFewestGroups = 4;
constexpr int64_t kDraws = 4000;
/// Draws among the best or the worst that are worth going on for: above 0.2 %. Looks are many, but
/// only those near the edge of the wanted are ever in doubt.
constexpr int64_t kNegligible = 8;
/// Degrees of freedom of the spread that all pairs share: with few groups, some pairs' own is far
/// too small by chance.
constexpr double kSharedFreedom = 8.0;

using Matrix = std::vector<std::vector<double>>;

/// One method's variants after some groups.
struct Standing {
  std::vector<double> means = {};
  Matrix residuals = {};  ///< [variant][group], in units of the mean.
  double left = 0.0;      ///< Share of the weight that is still to come.
  double shared = 0.0;    ///< Half the median variance of the difference of two variants.
};

double difference_variance(const std::vector<double>& first, const std::vector<double>& second) {
  double squares = 0.0;
  for (size_t group = 0; group < first.size(); ++group) {
    squares += (first[group] - second[group]) * (first[group] - second[group]);
  }
  return squares / static_cast<double>(first.size() - 1);
}

double median_difference_variance(const Matrix& residuals) {
  std::vector<double> variances;
  for (size_t first = 0; first < residuals.size(); ++first) {
    for (size_t second = 0; second < first; ++second) {
      variances.push_back(difference_variance(residuals[first], residuals[second]));
    }
  }
  const auto middle = variances.begin() + std::ssize(variances) / 2;
  std::ranges::nth_element(variances, middle);
  return *middle;
}

Standing standing_of(const ProbeSet& set,
                     const SweepScores& scores,
                     const std::vector<size_t>& competing,
                     size_t groups) {
  const auto seen = set.weights.begin() + static_cast<int64_t>(groups);
  const double weight = std::accumulate(set.weights.begin(), seen, 0.0);
  const double mean_weight = weight / static_cast<double>(groups);
  Standing standing{.left = 1.0 - weight / std::accumulate(seen, set.weights.end(), weight)};
  for (const size_t variant : competing) {
    const std::vector<double>& values = scores.values[variant][set.deciding_measure];
    const double mean =
        std::accumulate(values.begin(), values.begin() + static_cast<int64_t>(groups), 0.0) /
        weight;
    std::vector<double>& residuals = standing.residuals.emplace_back();
    for (size_t group = 0; group < groups; ++group) {
      residuals.push_back((values[group] - mean * set.weights[group]) / mean_weight);
    }
    standing.means.push_back(mean);
  }
  standing.shared = median_difference_variance(standing.residuals) / 2.0;
  return standing;
}

/// Draws of where all variants end.
class Endings final {
 public:
  Endings(const Standing& standing, size_t groups)
      : standing_(standing),
        generator_(static_cast<std::mt19937::result_type>(groups)),
        own_freedom_(static_cast<double>(groups - 1)),
        spread_(std::sqrt(standing.left / static_cast<double>(groups))),
        noise_(groups),
        chi_squared_(own_freedom_ + kSharedFreedom) {}

  void draw(std::vector<double>& ends) {
    std::ranges::generate(noise_, [&] { return normal_(generator_); });
    const double freedom = own_freedom_ + kSharedFreedom;
    const double heavy_tail = std::sqrt(freedom / chi_squared_(generator_));
    const double of_own = std::sqrt(1.0 / freedom);  // own / freedom of a variance over own.
    const double of_shared = std::sqrt(kSharedFreedom / freedom * standing_.shared);
    for (size_t variant = 0; variant < ends.size(); ++variant) {
      const std::vector<double>& residuals = standing_.residuals[variant];
      const double own =
          std::inner_product(noise_.begin(), noise_.end(), residuals.begin(), 0.0) * of_own;
      ends[variant] =
          standing_.means[variant] + spread_ * heavy_tail * (own + of_shared * normal_(generator_));
    }
  }

 private:
  const Standing& standing_;
  std::mt19937 generator_;
  double own_freedom_;
  double spread_;
  std::vector<double> noise_;  ///< Of the groups, which all variants share.
  std::normal_distribution<double> normal_;
  std::chi_squared_distribution<double> chi_squared_;
};

/// Those of `competing` that may be among the first or the last `wanted` in the end.
std::vector<size_t> contenders(const Standing& standing,
                               const std::vector<size_t>& competing,
                               size_t groups,
                               int64_t wanted) {
  const int64_t count = std::ssize(competing);
  std::vector<int64_t> times_first(competing.size());
  std::vector<int64_t> times_last(competing.size());
  std::vector<double> ends(competing.size());
  std::vector<size_t> order(competing.size());
  Endings endings(standing, groups);
  for (int64_t draw = 0; draw < kDraws; ++draw) {
    endings.draw(ends);
    std::iota(order.begin(), order.end(), size_t{0});
    std::ranges::sort(order, {}, [&](size_t variant) { return ends[variant]; });
    for (int64_t place = 0; place < wanted; ++place) {
      ++times_first[order[static_cast<size_t>(place)]];
      ++times_last[order[static_cast<size_t>(count - 1 - place)]];
    }
  }
  std::vector<size_t> left;
  for (size_t i = 0; i < competing.size(); ++i) {
    if (times_first[i] > kNegligible || times_last[i] > kNegligible) {
      left.push_back(competing[i]);
    }
  }
  return left;
}

}  // namespace

std::vector<size_t> survivors(const ProbeSet& set,
                              const std::vector<Variant>& variants,
                              const SweepScores& scores,
                              const std::vector<size_t>& running,
                              size_t groups,
                              int64_t wanted) {
  if (groups < kFewestGroups || groups == set.groups.size()) {
    return running;
  }
  std::map<std::string, std::vector<size_t>> by_method;
  for (const size_t variant : running) {
    by_method[variants[variant].method].push_back(variant);
  }
  std::vector<size_t> left;
  for (const auto& [method, competing] : by_method) {
    const bool all_are_wanted = method == "base" || std::ssize(competing) <= 2 * wanted;
    const std::vector<size_t> staying =
        all_are_wanted
            ? competing
            : contenders(standing_of(set, scores, competing, groups), competing, groups, wanted);
    left.insert(left.end(), staying.begin(), staying.end());
  }
  std::ranges::sort(left);
  return left;
}

}  // namespace slayer
