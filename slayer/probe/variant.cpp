#include "slayer/probe/variant.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "slayer/core/error.h"
#include "slayer/surgery/strategies.h"

namespace slayer {
namespace {

/// At least one layer must be left.
void require_fewer(const std::string& item, int64_t value, int64_t layers) {
  if (value < 1 || value >= layers) {
    throw Error(
        {.item = item,
         .found = fmt::format("{}", value),
         .expected = fmt::format("at least 1, and fewer than the model's {} layers", layers)});
  }
}

std::vector<int64_t> consecutive(int64_t first, int64_t count) {
  std::vector<int64_t> layers;
  for (int64_t layer = first; layer < first + count; ++layer) {
    layers.push_back(layer);
  }
  return layers;
}

PlannedLayer repeat_of(int64_t layer, int64_t layers, RepeatInit init) {
  if (init == RepeatInit::kAverage && layer + 1 < layers) {
    return {.from = {layer, layer + 1}, .init = Init::kAverage};
  }
  return {.from = {layer}};
}

}  // namespace

std::string Variant::name() const {
  return removed.empty() ? fmt::format("{} {}", method, layer)
                         : fmt::format("{} {}", method, fmt::join(removed, ","));
}

Variant base_variant(int64_t layers) {
  return {.method = "base", .plan = passthrough_plan(layers, fmt::format("0:{}", layers))};
}

std::vector<Variant> removal_variants(int64_t layers, int64_t span) {
  require_fewer("span of layers to remove", span, layers);
  std::vector<Variant> variants;
  for (int64_t first = 0; first + span <= layers; ++first) {
    const std::vector<int64_t> removed = consecutive(first, span);
    variants.push_back({.method = "remove",
                        .layer = first,
                        .removed = removed,
                        .plan = prune_plan(layers, {.layers = removed})});
  }
  return variants;
}

std::vector<Variant> last_variants(int64_t layers, int64_t most) {
  require_fewer("number of last layers to remove", most, layers);
  std::vector<Variant> variants;
  for (int64_t count = 1; count <= most; ++count) {
    variants.push_back({.method = "last",
                        .layer = count,
                        .plan = prune_plan(layers, {.layers = last_layers(layers, count)})});
  }
  return variants;
}

RepeatInit repeat_init_from_name(const std::string& name) {
  if (name != "copy" && name != "average") {
    throw Error({.item = "init of a repeated layer",
                 .found = printable(name),
                 .expected = "copy or average"});
  }
  return name == "copy" ? RepeatInit::kCopy : RepeatInit::kAverage;
}

std::vector<Variant> expansion_variants(int64_t layers, RepeatInit init, int64_t copies) {
  if (copies < 1 || copies > 1000) {
    throw Error({.item = "copies of a repeated layer",
                 .found = fmt::format("{}", copies),
                 .expected = "1 to 1000"});
  }
  std::vector<Variant> variants;
  for (int64_t repeated = 0; repeated < layers; ++repeated) {
    Plan plan = base_variant(layers).plan;
    plan.layers.insert(plan.layers.begin() + repeated + 1,
                       static_cast<size_t>(copies),
                       repeat_of(repeated, layers, init));
    variants.push_back({.method = "expand", .layer = repeated, .plan = std::move(plan)});
  }
  return variants;
}

Variant prune_variant(int64_t layers, const std::vector<int64_t>& removed, bool collapses) {
  const PruneMode mode = collapses ? PruneMode::kCollapse : PruneMode::kDrop;
  return {.method = collapses ? "collapse" : "prune",
          .layer = removed.front(),
          .removed = removed,
          .plan = prune_plan(layers, {.layers = removed, .mode = mode})};
}

}  // namespace slayer
