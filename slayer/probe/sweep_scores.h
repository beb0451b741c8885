#pragma once

#include <cmath>
#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace slayer {

/// Variants at the two ends of a method, by their index in the sweep, from the end inwards: `best`
/// begins with the one that does least harm, `worst` with the one that does most.
struct Extremes {
  std::vector<size_t> best = {};
  std::vector<size_t> worst = {};
};

/// What each variant got of each measure on each group; NaN where a race had left it.
struct SweepScores {
  std::vector<std::vector<std::vector<double>>> values;  ///< [variant][measure][group]
  std::map<std::string, Extremes> extremes = {};         ///< By method, after a race.

  bool has(size_t variant, size_t group) const {
    return !std::isnan(values[variant].front()[group]);
  }
};

}  // namespace slayer
