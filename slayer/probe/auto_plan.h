#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "slayer/checkpoint/config.h"
#include "slayer/core/json.h"
#include "slayer/surgery/plan.h"
#include "slayer/surgery/strategies.h"

namespace slayer {

struct AutoPlanOptions {
  std::optional<int64_t> new_layers = {};
  std::optional<int64_t> prune = {};
  std::optional<double> budget = {};   ///< Parameters of the new model over the base's.
  std::optional<PruneMode> mode = {};  ///< Nothing: what was measured as cheaper; else collapse.
  /// What a prune whose size the budget leaves open may cost, in nats per token of general text.
  double most_prune_cost = 0.05;
};

struct AutoPlan {
  Plan plan;
  std::vector<std::string> reasons;  ///< A sentence a choice, for a person.
  /// Loss on general text before training, over the base's; as estimated by `is_measured`.
  double prune_cost = 0.0;
  bool is_measured = true;  ///< Jointly; else the sum of each layer's own cost.
};

/// The plan that a probe speaks for.
/// - New layers: pairs of neighbouring kept layers that are dearest to remove for the domain, each
///   followed by a new block as in the S strategy (the pairs do not overlap; single layers where
///   there are more new layers than pairs). With an importance that falls with depth that is the
///   paper's: after layers 1, 3, 5, ...
/// - Layers to prune: the set of that size that costs least on general text, measured jointly where
///   the probe did so, else those that cost least alone.
/// - Sizes: as given; from a budget, as many layers are pruned as cost no more than
///   `most_prune_cost` together, at most one in 16, and new ones fill the budget.
/// @param file the probe's, for errors.
/// @throws Error when the probe is of another model, lacks a removal sweep of single layers, or the
/// sizes do not fit it.
AutoPlan auto_plan(const Json& probe,
                   const std::string& file,
                   const ModelConfig& config,
                   const std::string& hash,
                   const AutoPlanOptions& options);

/// A plan of the sizes that auto_plan's will have, for checks and estimates before there is a
/// probe: the one that speaks for no layer more than for another. Where the budget leaves open how
/// many layers go, the most that may.
/// @throws Error when the sizes do not fit the model.
Plan outline_auto_plan(const ModelConfig& config, const AutoPlanOptions& options);

}  // namespace slayer
