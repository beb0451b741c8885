#include "slayer/probe/race.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <random>
#include <string>

namespace slayer {
namespace {

/// Fewer groups say nothing about spread; short ones (a window of few tokens, an item) are so far
/// from normal that it takes more.
constexpr double kFewestGroups = 4.0;
constexpr double kFewestShortGroups = 16.0;
constexpr double kFewestTokens = 500.0;
constexpr int64_t kDraws = 4000;
/// Draws that say otherwise and are passed over: 0.05 %. Each look errs anew, though only near the
/// edges of the wanted.
constexpr int64_t kNegligible = 2;
/// Degrees of freedom of the spread that all pairs share: with few groups, some pairs' own is far
/// too small by chance.
constexpr double kSharedFreedom = 8.0;

using Matrix = std::vector<std::vector<double>>;

/// Where one method's variants stand after some groups.
struct Standing {
  std::vector<double> means = {};  ///< Signed so that less is better.
  Matrix residuals = {};           ///< [variant][group], in units of the mean.
  double left = 0.0;               ///< Share of the weight that is still to come.
  double shared = 0.0;             ///< Half the median variance of the difference of two variants.
};

double difference_variance(const std::vector<double>& first, const std::vector<double>& second) {
  double squares = 0.0;
  for (size_t group = 0; group < first.size(); ++group) {
    squares += (first[group] - second[group]) * (first[group] - second[group]);
  }
  return squares / static_cast<double>(first.size() - 1);
}

/// 0 where there is no pair.
double median_difference_variance(const Matrix& residuals) {
  std::vector<double> variances;
  for (size_t first = 0; first < residuals.size(); ++first) {
    for (size_t second = 0; second < first; ++second) {
      variances.push_back(difference_variance(residuals[first], residuals[second]));
    }
  }
  if (variances.empty()) {
    return 0.0;
  }
  const auto middle = variances.begin() + std::ssize(variances) / 2;
  std::ranges::nth_element(variances, middle);
  return *middle;
}

double fewest_groups(const ProbeSet& set) {
  const double weight = std::accumulate(set.weights.begin(), set.weights.end(), 0.0);
  const double mean_weight = weight / static_cast<double>(set.weights.size());
  return std::clamp(kFewestTokens / mean_weight, kFewestGroups, kFewestShortGroups);
}

double sign_of(const ProbeSet& set) {
  return set.measures[set.deciding_measure].higher_is_better ? -1.0 : 1.0;
}

Standing standing_of(const ProbeSet& set,
                     const SweepScores& scores,
                     const std::vector<size_t>& running,
                     size_t groups) {
  const auto seen = set.weights.begin() + static_cast<int64_t>(groups);
  const double weight = std::accumulate(set.weights.begin(), seen, 0.0);
  const double mean_weight = weight / static_cast<double>(groups);
  Standing standing{.left = 1.0 - weight / std::accumulate(seen, set.weights.end(), weight)};
  for (const size_t variant : running) {
    const std::vector<double>& of_variant = scores.values[variant][set.deciding_measure];
    const double mean =
        std::accumulate(
            of_variant.begin(), of_variant.begin() + static_cast<int64_t>(groups), 0.0) /
        weight;
    std::vector<double>& residuals = standing.residuals.emplace_back();
    for (size_t group = 0; group < groups; ++group) {
      residuals.push_back((of_variant[group] - mean * set.weights[group]) / mean_weight);
    }
    standing.means.push_back(sign_of(set) * mean);
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

/// How often each variant came in at each place: [variant][place], the best first.
std::vector<std::vector<int64_t>> count_places(const Standing& standing, size_t groups) {
  const size_t count = standing.means.size();
  std::vector<std::vector<int64_t>> times(count, std::vector<int64_t>(count));
  std::vector<double> ends(count);
  std::vector<size_t> order(count);
  Endings endings(standing, groups);
  for (int64_t draw = 0; draw < kDraws; ++draw) {
    endings.draw(ends);
    std::iota(order.begin(), order.end(), size_t{0});
    std::ranges::sort(order, {}, [&](size_t variant) { return ends[variant]; });
    for (size_t place = 0; place < count; ++place) {
      ++times[order[place]][place];
    }
  }
  return times;
}

bool is_never(int64_t times) { return times <= kNegligible; }

bool is_always(int64_t times) { return times >= kDraws - kNegligible; }

/// How much worse than the base a variant is on the groups that it was measured on.
double harm_of(const ProbeSet& set, const SweepScores& scores, size_t variant) {
  const std::vector<double>& own = scores.values[variant][set.deciding_measure];
  const std::vector<double>& base = scores.values[0][set.deciding_measure];
  double difference = 0.0;
  double weight = 0.0;
  for (size_t group = 0; group < set.groups.size(); ++group) {
    if (scores.has(variant, group)) {
      difference += own[group] - base[group];
      weight += set.weights[group];
    }
  }
  return sign_of(set) * difference / weight;
}

/// What the draws say of one variant.
struct Verdict {
  bool is_settled;
  bool is_best;
  bool is_worst;  ///< Maybe too, where more are wanted than there are.
};

Verdict judge(const std::vector<int64_t>& times_at, int64_t best_open, int64_t worst_open) {
  const int64_t best = std::accumulate(times_at.begin(), times_at.begin() + best_open, int64_t{0});
  const int64_t worst = std::accumulate(times_at.end() - worst_open, times_at.end(), int64_t{0});
  return {
      .is_settled = (is_always(best) || is_never(best)) && (is_always(worst) || is_never(worst)),
      .is_best = is_always(best),
      .is_worst = is_always(worst)};
}

}  // namespace

Race::Race(const ProbeSet& set, const std::vector<Variant>& variants, const RaceOptions& wanted)
    : set_(set) {
  for (size_t variant = 1; variant < variants.size(); ++variant) {
    heats_[variants[variant].method].running.push_back(variant);
  }
  for (auto& [method, heat] : heats_) {
    heat.best_open = std::min(wanted.best, std::ssize(heat.running));
    heat.worst_open = std::min(wanted.worst, std::ssize(heat.running));
  }
}

std::vector<size_t> Race::running() const {
  std::vector<size_t> all;
  for (const auto& [method, heat] : heats_) {
    all.insert(all.end(), heat.running.begin(), heat.running.end());
  }
  if (!all.empty()) {
    all.push_back(0);
  }
  std::ranges::sort(all);
  return all;
}

void Race::look(const SweepScores& scores, size_t groups) {
  if (static_cast<double>(groups) < fewest_groups(set_) || groups == set_.groups.size()) {
    return;
  }
  for (auto& [method, heat] : heats_) {
    if (!heat.running.empty()) {
      settle(heat, scores, groups);
    }
  }
}

void Race::settle(Heat& heat, const SweepScores& scores, size_t groups) {
  const auto times = count_places(standing_of(set_, scores, heat.running, groups), groups);
  Heat next = heat;
  next.running.clear();
  for (size_t i = 0; i < heat.running.size(); ++i) {
    const Verdict verdict = judge(times[i], heat.best_open, heat.worst_open);
    if (!verdict.is_settled) {
      next.running.push_back(heat.running[i]);
      continue;
    }
    if (verdict.is_best) {
      next.settled.best.push_back(heat.running[i]);
      --next.best_open;
    }
    if (verdict.is_worst) {
      next.settled.worst.push_back(heat.running[i]);
      --next.worst_open;
    }
  }
  heat = std::move(next);
}

std::map<std::string, Extremes> Race::extremes(const SweepScores& scores) const {
  std::map<std::string, Extremes> all;
  for (const auto& [method, heat] : heats_) {
    const auto harm = [&](size_t variant) { return harm_of(set_, scores, variant); };
    std::vector<size_t> open = heat.running;
    std::ranges::sort(open, {}, harm);
    Extremes& extremes = all[method];
    extremes = heat.settled;
    extremes.best.insert(extremes.best.end(), open.begin(), open.begin() + heat.best_open);
    extremes.worst.insert(extremes.worst.end(), open.end() - heat.worst_open, open.end());
    std::ranges::sort(extremes.best, {}, harm);
    std::ranges::sort(extremes.worst, std::ranges::greater{}, harm);
  }
  return all;
}

}  // namespace slayer
