#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "slayer/surgery/plan.h"

namespace slayer {

/// Plans of one base, merged where they begin alike: a tree of layers in which each path from the
/// root is the beginning of a plan. Layers are alike when they compute the same; whether they train
/// does not matter here.
///
///     plans 0 1 2, 0 2, 0 1:   root - 0 - 1 - 2
///                                      \- 2
struct PlanTrie {
  struct Node {
    PlannedLayer layer = {};            ///< Not of the root, which is no layer.
    std::vector<size_t> children = {};  ///< Indices into `nodes`, in the order of the plans.
    std::vector<size_t> plans = {};     ///< Plans whose last layer this is.
  };
  std::vector<Node> nodes;  ///< The root first.

  /// How many layers are evaluated when all plans run together.
  int64_t layer_count() const { return std::ssize(nodes) - 1; }
};

PlanTrie make_plan_trie(std::span<const Plan> plans);

}  // namespace slayer
