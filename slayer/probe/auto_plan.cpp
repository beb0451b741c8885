#include "slayer/probe/auto_plan.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <limits>
#include <set>

#include "slayer/checkpoint/family.h"
#include "slayer/core/error.h"

namespace slayer {
namespace {

/// What leaves no way to place anything.
constexpr double kForbidden = -std::numeric_limits<double>::infinity();

/// A set of layers that was pruned jointly in the probe.
struct PruneStep {
  std::vector<int64_t> layers;
  double drop = 0.0;
  std::optional<double> collapse;
};

/// What of a probe.json a plan is made from.
struct Evidence {
  std::vector<double> domain;    ///< Dip of each layer's removal, in nats per token.
  std::vector<double> general;   ///< The same on general text.
  std::vector<PruneStep> steps;  ///< For counts from 1 on; may be empty.
};

std::vector<double> removal_dips(const JsonObject& section, int64_t layers) {
  if (!section.has("remove")) {
    section.fail("remove",
                 section.has("tasks") ? "tasks only" : "nothing",
                 "a removal sweep on text (slayer probe --method remove)");
  }
  const JsonObject remove = section.object("remove");
  if (remove.integer_or("span", 1, layers, 1) != 1) {
    remove.fail("span", "several layers removed at a time", "1");
  }
  std::vector<double> dips;
  for (const Json& entry : remove.array("layers")) {
    const JsonObject layer(entry, section.file(), fmt::format("remove.layers[{}]", dips.size()));
    layer.integer("layer", std::ssize(dips), std::ssize(dips));
    dips.push_back(layer.number("dip"));
  }
  if (std::ssize(dips) != layers) {
    remove.fail("layers", fmt::format("{} layers", dips.size()), fmt::format("{}", layers));
  }
  return dips;
}

std::vector<PruneStep> prune_steps(const JsonObject& section, int64_t layers) {
  std::vector<PruneStep> steps;
  if (!section.has("prune")) {
    return steps;
  }
  for (const Json& entry : section.object("prune").array("steps")) {
    const JsonObject step(entry, section.file(), fmt::format("prune.steps[{}]", steps.size()));
    PruneStep& fresh = steps.emplace_back();
    for (const Json& layer : step.array("layers")) {
      if (!layer.is_number_integer() || layer.get<int64_t>() < 0 ||
          layer.get<int64_t>() >= layers) {
        step.fail("layers",
                  printable(compact_text(layer)),
                  fmt::format("layers from 0 to {}", layers - 1));
      }
      fresh.layers.push_back(layer.get<int64_t>());
    }
    if (fresh.layers.size() != steps.size()) {
      step.fail(
          "layers", fmt::format("{} layers", fresh.layers.size()), fmt::format("{}", steps.size()));
    }
    fresh.drop = step.number("dip");
    if (step.has("collapse")) {
      fresh.collapse = step.object("collapse").number("dip");
    }
  }
  return steps;
}

Evidence read_evidence(const JsonObject& probe, int64_t layers) {
  if (!probe.has("domain") && !probe.has("general")) {
    const std::vector<double> dips = removal_dips(probe, layers);
    return {.domain = dips, .general = dips, .steps = prune_steps(probe, layers)};
  }
  // Where one of the two has no text, the other speaks for it.
  const auto section = [&](const char* name, const char* other) {
    const bool speaks = probe.has(name) && probe.object(name).has("remove");
    return probe.object(speaks || !probe.has(other) ? name : other);
  };
  const JsonObject domain = section("domain", "general");
  const JsonObject general = section("general", "domain");
  return {.domain = removal_dips(domain, layers),
          .general = removal_dips(general, layers),
          .steps = prune_steps(general, layers)};
}

/// Sets of layers to prune: joint measurements where there are some of that size, else estimates.
class PruneChoice final {
 public:
  PruneChoice(const Evidence& evidence, std::optional<PruneMode> mode)
      : evidence_(evidence), mode_(mode) {}

  struct Choice {
    Prune prune;
    double cost = 0.0;
    bool is_measured = true;
  };

  Choice of_size(int64_t count) const {
    if (count > std::ssize(evidence_.steps)) {
      return estimated(count);
    }
    Choice choice;
    if (count == 0) {
      return choice;
    }
    const PruneStep& step = evidence_.steps[static_cast<size_t>(count - 1)];
    const bool collapses =
        step.collapse && (mode_ ? *mode_ == PruneMode::kCollapse : *step.collapse <= step.drop);
    choice.prune = {.layers = step.layers,
                    .mode = collapses ? PruneMode::kCollapse : mode_.value_or(PruneMode::kDrop)};
    choice.cost = collapses ? *step.collapse : step.drop;
    return choice;
  }

 private:
  /// Those that cost least alone; of equals the deeper.
  Choice estimated(int64_t count) const {
    std::vector<int64_t> layers;
    for (int64_t layer = std::ssize(evidence_.general); layer-- > 0;) {
      layers.push_back(layer);
    }
    const auto dip = [&](int64_t layer) { return evidence_.general[static_cast<size_t>(layer)]; };
    std::ranges::stable_sort(layers, {}, dip);
    layers.resize(static_cast<size_t>(count));
    std::ranges::sort(layers);
    Choice choice{.prune = {}, .is_measured = false};
    for (const int64_t layer : layers) {
      choice.cost += dip(layer);
    }
    const PruneMode natural =
        layers.front() > 0 ? PruneMode::kCollapse : PruneMode::kDrop;  // Nobody absorbs layer 0.
    choice.prune = {.layers = std::move(layers), .mode = mode_.value_or(natural)};
    return choice;
  }

  const Evidence& evidence_;
  std::optional<PruneMode> mode_;
};

/// A choice of places for new blocks, by the value of what they follow.
class Placement final {
 public:
  /// @param group layers before each place that no other place may share: 2, or 1.
  Placement(const std::vector<double>& dips, const std::set<int64_t>& pruned, int64_t group)
      : dips_(dips), pruned_(pruned), group_(group) {}

  /// The places for `count` blocks that together follow the dearest groups; nothing where there is
  /// no room. best[k][n]: the value of k groups among the first n layers.
  std::optional<std::vector<int64_t>> best(int64_t count) const {
    const auto layers = std::ssize(dips_);
    std::vector<std::vector<double>> best(
        static_cast<size_t>(count + 1),
        std::vector<double>(static_cast<size_t>(layers + 1), kForbidden));
    std::ranges::fill(best[0], 0.0);
    for (size_t k = 1; k <= static_cast<size_t>(count); ++k) {
      for (int64_t n = 1; n <= layers; ++n) {
        const auto at = static_cast<size_t>(n);
        best[k][at] = std::max(best[k][at - 1], taken(best[k - 1], n));
      }
    }
    if (best.back().back() == kForbidden) {
      return std::nullopt;
    }
    std::vector<int64_t> places;
    int64_t n = layers;
    for (auto k = static_cast<size_t>(count); k > 0;) {
      // Of equals the shallower: a place is taken only where leaving it out is worse.
      if (best[k][static_cast<size_t>(n)] == best[k][static_cast<size_t>(n - 1)]) {
        --n;
        continue;
      }
      places.push_back(n - 1);
      n -= group_;
      --k;
    }
    std::ranges::reverse(places);
    return places;
  }

  double value(int64_t last) const {
    double sum = 0.0;
    for (int64_t layer = last - group_ + 1; layer <= last; ++layer) {
      if (layer < 0 || pruned_.contains(layer)) {
        return kForbidden;
      }
      sum += dips_[static_cast<size_t>(layer)];
    }
    return sum;
  }

 private:
  /// The value with the group that ends layer n - 1 taken.
  double taken(const std::vector<double>& before, int64_t n) const {
    return n < group_ ? kForbidden : before[static_cast<size_t>(n - group_)] + value(n - 1);
  }

  const std::vector<double>& dips_;
  const std::set<int64_t>& pruned_;
  int64_t group_;
};

struct Sizes {
  int64_t new_layers;
  int64_t prune;
};

void require_fitting(const std::string& what,
                     int64_t count,
                     int64_t most,
                     const std::string& why,
                     const std::optional<double>& budget) {
  if (count < 0 || count > most) {
    throw Error({.item = budget ? fmt::format("budget {:g}: {}", *budget, what) : what,
                 .found = fmt::format("{}", count),
                 .expected = fmt::format("0 to {}{}", most, why)});
  }
}

std::string layers_text(int64_t count) {
  return fmt::format("{} layer{}", count, count == 1 ? "" : "s");
}

/// Layers that the budget adds to the base's.
int64_t net_layers(double budget, const ModelConfig& config) {
  const double parameters = (budget - 1.0) * static_cast<double>(parameter_count(config));
  // A budget written with two decimals must not lose a layer to its rounding.
  return static_cast<int64_t>(
      std::floor(parameters / static_cast<double>(parameters_per_layer(config)) + 0.05));
}

int64_t affordable_prune(const PruneChoice& choice, int64_t layers, double most_cost) {
  int64_t count = 0;
  while (count + 1 <= layers / 16 && choice.of_size(count + 1).cost <= most_cost) {
    ++count;
  }
  return count;
}

Sizes sizes_of(const AutoPlanOptions& options,
               const ModelConfig& config,
               const PruneChoice& choice,
               std::vector<std::string>& reasons) {
  const int64_t layers = config.num_hidden_layers;
  Sizes sizes{.new_layers = options.new_layers.value_or(0), .prune = options.prune.value_or(0)};
  if (options.budget) {
    if (options.new_layers && options.prune) {
      throw Error({.item = "budget",
                   .found = "the numbers of new layers and of layers to prune beside it",
                   .expected = "one of the two at most; the budget gives the other"});
    }
    const int64_t net = net_layers(*options.budget, config);
    if (!options.prune) {
      sizes.prune = options.new_layers ? sizes.new_layers - net
                                       : affordable_prune(choice, layers, options.most_prune_cost);
    }
    if (!options.new_layers) {
      sizes.new_layers = net + sizes.prune;
    }
    reasons.push_back(fmt::format(
        "budget {:g}: {} {} than the base, so {} new and {} pruned{}",
        *options.budget,
        layers_text(std::abs(net)),
        net < 0 ? "fewer" : "more",
        sizes.new_layers,
        sizes.prune,
        options.prune || options.new_layers
            ? ""
            : fmt::format(" (as many as cost at most {:g} nats per token together, up to {})",
                          options.most_prune_cost,
                          layers / 16)));
  }
  // Which of the two a budget left open is what it was too large or too small for.
  require_fitting("layers to prune",
                  sizes.prune,
                  layers - 1,
                  "",
                  options.prune ? std::nullopt : options.budget);
  require_fitting("new layers",
                  sizes.new_layers,
                  layers - sizes.prune,
                  ", one for each kept layer at most",
                  options.new_layers ? std::nullopt : options.budget);
  return sizes;
}

void explain_prune(const PruneChoice::Choice& choice, std::vector<std::string>& reasons) {
  const std::vector<int64_t>& layers = choice.prune.layers;
  if (layers.empty()) {
    return;
  }
  const std::string how =
      choice.prune.mode == PruneMode::kCollapse ? "absorbed by the layer before" : "dropped";
  const std::string why =
      choice.is_measured
          ? fmt::format(
                "of the sets of {} that were tried the cheapest on general text, {:+.3f} nats "
                "per token before training",
                layers.size(),
                choice.cost)
          : fmt::format(
                "cheapest alone on general text, {:+.3f} nats per token as the sum of each; "
                "not measured together (slayer probe --prune)",
                choice.cost);
  reasons.push_back(fmt::format("prune {} ({}): {}", fmt::join(layers, ", "), how, why));
}

std::string reason_for(const Placement& placement, int64_t place, int64_t group) {
  const std::string layers =
      group == 2 ? fmt::format("layers {} and {} cost", place - 1, place) : std::string("it costs");
  return fmt::format("new after {}: {} {:.3f} nats per token of the domain when removed",
                     place,
                     layers,
                     placement.value(place));
}

std::vector<int64_t> place_blocks(const std::vector<double>& dips,
                                  const std::set<int64_t>& pruned,
                                  int64_t count,
                                  std::vector<std::string>& reasons) {
  for (const int64_t group : {2, 1}) {
    const Placement placement(dips, pruned, group);
    const std::optional<std::vector<int64_t>> places = placement.best(count);
    if (!places) {
      continue;
    }
    for (const int64_t place : *places) {
      reasons.push_back(reason_for(placement, place, group));
    }
    return *places;
  }
  return {};  // Not reached: sizes_of leaves a kept layer for each block.
}

void require_same_model(const JsonObject& probe,
                        const ModelConfig& config,
                        const std::string& hash) {
  probe.integer("format", 1, 1);
  const std::string measured = probe.string("model");
  if (measured != hash) {
    throw Error({.file = probe.file(),
                 .item = "model",
                 .found = fmt::format("hash {}", printable(measured, 12)),
                 .expected = fmt::format("{}..., the model's", hash.substr(0, 12)),
                 .hint = "probe this model: slayer probe"});
  }
  probe.integer("layers", config.num_hidden_layers, config.num_hidden_layers);
}

AutoPlan plan_from(const Evidence& evidence,
                   const ModelConfig& config,
                   const AutoPlanOptions& options) {
  const PruneChoice choices(evidence, options.mode);
  AutoPlan result;
  const Sizes sizes = sizes_of(options, config, choices, result.reasons);
  const PruneChoice::Choice choice = choices.of_size(sizes.prune);
  explain_prune(choice, result.reasons);
  const std::set<int64_t> pruned(choice.prune.layers.begin(), choice.prune.layers.end());
  const std::vector<int64_t> places =
      place_blocks(evidence.domain, pruned, sizes.new_layers, result.reasons);
  result.plan = densify_plan(config.num_hidden_layers, places, choice.prune);
  result.prune_cost = choice.cost;
  result.is_measured = choice.is_measured;
  return result;
}

}  // namespace

AutoPlan auto_plan(const Json& json,
                   const std::string& file,
                   const ModelConfig& config,
                   const std::string& hash,
                   const AutoPlanOptions& options) {
  const JsonObject probe(json, file);
  require_same_model(probe, config, hash);
  AutoPlan result = plan_from(read_evidence(probe, config.num_hidden_layers), config, options);
  result.plan.source_hash = hash;
  return result;
}

Plan outline_auto_plan(const ModelConfig& config, const AutoPlanOptions& options) {
  const std::vector<double> alike(static_cast<size_t>(config.num_hidden_layers), 0.0);
  return plan_from({.domain = alike, .general = alike, .steps = {}}, config, options).plan;
}

}  // namespace slayer
