#pragma once

#include <optional>
#include <vector>

#include "slayer/core/json.h"
#include "slayer/eval/statistics.h"
#include "slayer/probe/probe_set.h"
#include "slayer/probe/sweep.h"
#include "slayer/probe/variant.h"

namespace slayer {

/// One variant's value of one measure, and its dip: how much worse it is than the base on the same
/// groups, paired.
struct VariantSummary {
  size_t variant = 0;  ///< Index into the sweep's variants.
  double value = 0.0;
  double dip = 0.0;
  std::optional<Interval> value_interval;  ///< Empty where there is but one unit.
  std::optional<Interval> dip_interval;
  std::vector<double> dip_draws;  ///< Of the shared resamplings.
  size_t groups = 0;              ///< It was measured on; fewer than all after a race.
};

/// A sweep under one measure, in the order of its variants, the base first.
struct SweepSummary {
  Measure measure;
  std::vector<VariantSummary> variants = {};
  BootstrapOptions bootstrap = {};
};

/// @pre the first variant is the base.
SweepSummary summarize_sweep(const ProbeSet& set,
                             const SweepScores& scores,
                             size_t measure,
                             const BootstrapOptions& bootstrap);

/// {measure: value, "low", "high", "dip", "dip_low", "dip_high"}; intervals and dips where there
/// are any. A variant that a race left early also has "groups".
Json variant_json(const SweepSummary& summary, const VariantSummary& variant, size_t groups);

/// One method's section of probe.json:
///
///   {"layers": [{"layer", measure, "low", "high", "dip", "dip_low", "dip_high"}, ...],
///    "spearman": {"rho", "low", "high"}, "indistinguishable": [[5, 6], ...]}
///
/// spearman: rank correlation of the dip with depth. indistinguishable: neighbours in the order of
/// their dips whose difference may be chance, the layers with the larger dip first.
Json method_json(const SweepSummary& summary,
                 const std::vector<Variant>& variants,
                 const std::string& method,
                 size_t groups);

/// How a method's dips of one text differ from those of another: {"layers": [{"layer", "dip",
/// "low", "high"}, ...]}, for the same variants.
Json difference_json(const SweepSummary& first,
                     const SweepSummary& second,
                     const std::vector<Variant>& variants,
                     const std::string& method);

}  // namespace slayer
