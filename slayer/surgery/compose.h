#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "slayer/surgery/plan.h"

namespace slayer {

/// True for a layer that a pack must hold, since its base does not: one that trains, or that is
/// anything but a plain copy.
bool is_packed(const PlannedLayer& layer);

/// The plan of one pack, and the pack's name for errors.
struct PackPlan {
  std::string pack;
  Plan plan;
};

/// Where a layer of a composed model comes from.
struct ComposedLayer {
  std::optional<size_t> pack;  ///< Index of the pack that holds it; nothing: the base.
  int64_t layer = 0;           ///< The pack's target layer, or the base's layer.
};

/// Several packs of one base in one model.
struct Composition {
  Plan plan;
  std::vector<ComposedLayer> layers;  ///< One for each of plan.layers.
};

/// The layers of the base in order; each followed by the new layers that packs put there, in the
/// order in which the packs are given. A single pack's plan is taken as it is.
/// @throws Error naming two packs when both train one layer of the base, when one deletes what the
/// other keeps, and for a plan that reorders the base's layers, which has no place for others.
Composition compose(const std::vector<PackPlan>& packs);

}  // namespace slayer
