#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "slayer/eval/statistics.h"

namespace slayer {

/// Bootstrap resamplings of units (documents, items) that many statistics share: what two variants
/// give under the same draw may be subtracted, and is then a paired difference.
class Resampling final {
 public:
  Resampling(size_t units, const BootstrapOptions& options);

  /// sum(values) / sum(weights) over the units of each draw; both have one entry a unit. NaN for a
  /// draw without any weight, as where a race left a variant after a few of many units: the other
  /// draws must stay paired.
  std::vector<double> ratios(std::span<const double> values, std::span<const double> weights) const;

 private:
  size_t units_;
  std::vector<uint16_t> counts_;  ///< How often each draw has each unit: [draws, units].
};

/// The interval of those draws that are numbers; nothing where there are none.
std::optional<Interval> interval_of_draws(std::vector<double> draws, double level);

/// Rank correlation of two variables, ties at their mean rank; nothing where either is constant or
/// has fewer than three values.
std::optional<double> spearman(std::span<const double> x, std::span<const double> y);

}  // namespace slayer
