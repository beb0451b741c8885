#include "slayer/probe/plan_trie.h"

#include <algorithm>

namespace slayer {

PlanTrie make_plan_trie(std::span<const Plan> plans) {
  PlanTrie trie{.nodes = {PlanTrie::Node{}}};
  for (size_t plan = 0; plan < plans.size(); ++plan) {
    size_t node = 0;
    for (PlannedLayer layer : plans[plan].layers) {
      layer.train = false;
      const std::vector<size_t>& children = trie.nodes[node].children;
      const auto same = std::ranges::find_if(
          children, [&](size_t child) { return trie.nodes[child].layer == layer; });
      if (same != children.end()) {
        node = *same;
        continue;
      }
      const size_t fresh = trie.nodes.size();
      trie.nodes[node].children.push_back(fresh);
      trie.nodes.push_back({.layer = std::move(layer)});
      node = fresh;
    }
    trie.nodes[node].plans.push_back(plan);
  }
  return trie;
}

}  // namespace slayer
