#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "slayer/probe/probe_set.h"
#include "slayer/probe/sweep_scores.h"
#include "slayer/probe/variant.h"

namespace slayer {

/// How many variants of each method are wanted from its two ends.
struct RaceOptions {
  int64_t best = 0;
  int64_t worst = 0;
};

/// A sweep of which only the best and the worst variants of each method are wanted, as sets. A
/// variant stops as soon as it is settled whether it is among them: as soon as all but a negligible
/// share of the draws of what the groups that are left will give say the same. In a draw all
/// variants move together as they did on the groups seen. What is close goes on to the end. Source:
/// the race is that of Maron and Moore 1994; the draws are of Student's t as in a Bayesian
/// bootstrap of paired differences, their spread for groups drawn without replacement (Cochran
/// 1977, section 2.6) and with a variance that all pairs share a part of (Smyth 2004, limma).
class Race final {
 public:
  /// @pre the groups of `set` are in random order; the first variant is the base. Both outlive
  /// this.
  Race(const ProbeSet& set, const std::vector<Variant>& variants, const RaceOptions& wanted);

  /// Who goes on; the base as long as anyone does. Nobody, when all is settled.
  std::vector<size_t> running() const;

  /// Looks at what those who run got on the first `groups` groups of the measure that decides.
  void look(const SweepScores& scores, size_t groups);

  /// By method. @pre nobody runs, or whoever does has values for all groups.
  std::map<std::string, Extremes> extremes(const SweepScores& scores) const;

 private:
  /// One method's variants.
  struct Heat {
    std::vector<size_t> running = {};
    int64_t best_open = 0;   ///< Places among the best that are not settled yet.
    int64_t worst_open = 0;  ///< The same of the worst.
    Extremes settled = {};
  };

  void settle(Heat& heat, const SweepScores& scores, size_t groups);

  const ProbeSet& set_;
  std::map<std::string, Heat> heats_;  ///< By method.
};

}  // namespace slayer
