#include "slayer/probe/race.h"

#include <algorithm>
#include <cmath>

namespace slayer {
namespace {

/// Fewer say nothing about spread.
constexpr size_t kFewestGroups = 4;
/// Standard errors: with 30 variants there are 435 pairs, looked at after every chunk.
constexpr double kConfident = 4.0;

/// By how many standard errors the first variant's values exceed the second's.
double excess(const std::vector<double>& first,
              const std::vector<double>& second,
              const std::vector<double>& weights,
              size_t groups) {
  double sum = 0.0;
  double squares = 0.0;
  for (size_t group = 0; group < groups; ++group) {
    const double difference = (first[group] - second[group]) / weights[group];
    sum += difference;
    squares += difference * difference;
  }
  const auto count = static_cast<double>(groups);
  const double mean = sum / count;
  const double variance = std::max(0.0, squares / count - mean * mean) / (count - 1.0);
  return variance > 0.0 ? mean / std::sqrt(variance) : 0.0;
}

}  // namespace

std::vector<size_t> survivors(const ProbeSet& set,
                              const std::vector<Variant>& variants,
                              const SweepScores& scores,
                              const std::vector<size_t>& running,
                              size_t groups,
                              int64_t wanted) {
  if (groups < kFewestGroups) {
    return running;
  }
  std::vector<size_t> left;
  for (const size_t variant : running) {
    int64_t above = 0;
    int64_t below = 0;
    for (const size_t other : running) {
      if (other == variant || variants[other].method != variants[variant].method) {
        continue;
      }
      const double margin = excess(scores.values[other][set.deciding_measure],
                                   scores.values[variant][set.deciding_measure],
                                   set.weights,
                                   groups);
      above += margin > kConfident ? 1 : 0;
      below += margin < -kConfident ? 1 : 0;
    }
    if (variants[variant].method == "base" || above < wanted || below < wanted) {
      left.push_back(variant);
    }
  }
  return left;
}

}  // namespace slayer
