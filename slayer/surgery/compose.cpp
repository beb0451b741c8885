#include "slayer/surgery/compose.h"

#include <cassert>
#include <fmt/format.h>
#include <map>

#include "slayer/core/error.h"

namespace slayer {
namespace {

/// A plan sorted by the base's layers: what became of each, and what was put after it.
struct Arrangement {
  std::map<int64_t, int64_t> kept;                   ///< Source layer to target layer.
  std::map<int64_t, std::vector<int64_t>> inserted;  ///< New target layers; -1: before the first.
};

Arrangement arrange(const PackPlan& pack) {
  Arrangement arrangement;
  const std::vector<bool> is_new = new_layers(pack.plan);
  int64_t last_kept = -1;
  for (size_t target_layer = 0; target_layer < pack.plan.layers.size(); ++target_layer) {
    const auto number = static_cast<int64_t>(target_layer);
    if (is_new[target_layer]) {
      arrangement.inserted[last_kept].push_back(number);
      continue;
    }
    const int64_t source_layer = pack.plan.layers[target_layer].from.front();
    if (source_layer < last_kept) {
      throw Error({.file = pack.pack,
                   .item = fmt::format("layer {}", source_layer),
                   .found = fmt::format("it after layer {}", last_kept),
                   .expected = "the base's layers in their order",
                   .hint = "a pack that reorders layers cannot be composed with others"});
    }
    last_kept = source_layer;
    arrangement.kept[source_layer] = number;
  }
  return arrangement;
}

Composition composition_of_one(const PackPlan& pack) {
  Composition composition{.plan = pack.plan, .layers = {}};
  for (size_t target_layer = 0; target_layer < pack.plan.layers.size(); ++target_layer) {
    const PlannedLayer& layer = pack.plan.layers[target_layer];
    composition.layers.push_back(
        is_packed(layer) ? ComposedLayer{.pack = 0, .layer = static_cast<int64_t>(target_layer)}
                         : ComposedLayer{.pack = std::nullopt, .layer = layer.from.front()});
  }
  return composition;
}

class Composer final {
 public:
  explicit Composer(const std::vector<PackPlan>& packs) : packs_(packs) {
    for (const PackPlan& pack : packs) {
      arrangements_.push_back(arrange(pack));
    }
    const Plan& first = packs.front().plan;
    composition_.plan = {.strategy = "composed",
                         .source_layers = first.source_layers,
                         .source_hash = first.source_hash};
  }

  Composition composed() {
    add_inserted(-1);
    for (int64_t source_layer = 0; source_layer < composition_.plan.source_layers; ++source_layer) {
      add_kept(source_layer);
      add_inserted(source_layer);
    }
    return std::move(composition_);
  }

 private:
  const PlannedLayer& planned(size_t pack, int64_t target_layer) const {
    return packs_[pack].plan.layers[static_cast<size_t>(target_layer)];
  }

  void add(size_t pack, int64_t target_layer) {
    const PlannedLayer& layer = planned(pack, target_layer);
    composition_.plan.layers.push_back(layer);
    composition_.layers.push_back(
        is_packed(layer) ? ComposedLayer{.pack = pack, .layer = target_layer}
                         : ComposedLayer{.pack = std::nullopt, .layer = layer.from.front()});
  }

  void add_inserted(int64_t source_layer) {
    for (size_t pack = 0; pack < packs_.size(); ++pack) {
      for (const int64_t target_layer : arrangements_[pack].inserted[source_layer]) {
        add(pack, target_layer);
      }
    }
  }

  /// Adds the base's layer from the pack that trained it, else from the first.
  void add_kept(int64_t source_layer) {
    size_t holder = 0;
    for (size_t pack = 0; pack < packs_.size(); ++pack) {
      require_agreement(pack, source_layer);
      const auto kept = arrangements_[pack].kept.find(source_layer);
      if (kept == arrangements_[pack].kept.end() || !is_packed(planned(pack, kept->second))) {
        continue;
      }
      const int64_t held = arrangements_[holder].kept.at(source_layer);
      if (holder != pack && is_packed(planned(holder, held))) {
        fail(pack,
             source_layer,
             fmt::format("trained by it and by {}", packs_[holder].pack),
             "at most one pack to train it");
      }
      holder = pack;
    }
    if (arrangements_[holder].kept.contains(source_layer)) {
      add(holder, arrangements_[holder].kept.at(source_layer));
    }
  }

  void require_agreement(size_t pack, int64_t source_layer) const {
    const bool is_kept = arrangements_[pack].kept.contains(source_layer);
    if (is_kept != arrangements_.front().kept.contains(source_layer)) {
      fail(pack,
           source_layer,
           fmt::format("{} here, {} by {}",
                       is_kept ? "kept" : "deleted",
                       is_kept ? "deleted" : "kept",
                       packs_.front().pack),
           "packs that delete the same layers");
    }
  }

  [[noreturn]] void fail(size_t pack,
                         int64_t source_layer,
                         std::string found,
                         std::string expected) const {
    throw Error({.file = packs_[pack].pack,
                 .item = fmt::format("layer {} of the base", source_layer),
                 .found = std::move(found),
                 .expected = std::move(expected)});
  }

  const std::vector<PackPlan>& packs_;
  std::vector<Arrangement> arrangements_;
  Composition composition_;
};

}  // namespace

bool is_packed(const PlannedLayer& layer) { return layer.train || !layer.is_plain_copy(); }

Composition compose(const std::vector<PackPlan>& packs) {
  assert(!packs.empty());
  return packs.size() == 1 ? composition_of_one(packs.front()) : Composer(packs).composed();
}

}  // namespace slayer
