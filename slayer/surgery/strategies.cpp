#include "slayer/surgery/strategies.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <optional>
#include <set>
#include <string>

#include "slayer/core/error.h"

namespace slayer {
namespace {

[[noreturn]] void fail_option(std::string option, std::string found, std::string expected) {
  throw Error(
      {.item = std::move(option), .found = std::move(found), .expected = std::move(expected)});
}

void require_between(std::string_view option, int64_t value, int64_t low, int64_t high) {
  if (value < low || value > high) {
    fail_option(std::string(option), fmt::format("{}", value), fmt::format("{} to {}", low, high));
  }
}

PlannedLayer copy_of(int64_t source_layer) { return {.from = {source_layer}}; }

/// The new block after `source_layer`: the identity, on the way to the next layer.
PlannedLayer block_after(int64_t source_layer, int64_t source_layers) {
  const bool is_last = source_layer + 1 == source_layers;
  return is_last ? PlannedLayer{.from = {source_layer}, .zero_output = true, .train = true}
                 : PlannedLayer{.from = {source_layer, source_layer + 1},
                                .init = Init::kAverage,
                                .zero_output = true,
                                .train = true};
}

/// As a set. `item` is what they are to the user.
std::set<int64_t> checked_layers(const std::string& item,
                                 int64_t source_layers,
                                 const std::vector<int64_t>& layers) {
  std::set<int64_t> checked;
  for (const int64_t source_layer : layers) {
    require_between(item, source_layer, 0, source_layers - 1);
    if (!checked.insert(source_layer).second) {
      fail_option(item, fmt::format("{} twice", source_layer), "each layer once");
    }
  }
  return checked;
}

std::set<int64_t> checked_prune(int64_t source_layers, const Prune& prune) {
  std::set<int64_t> pruned = checked_layers("layer to prune", source_layers, prune.layers);
  if (static_cast<int64_t>(pruned.size()) == source_layers) {
    fail_option(
        "layers to prune", fmt::format("all {} layers", source_layers), "at least one layer left");
  }
  return pruned;
}

/// All layers that `pruned` leaves, with those of `has_block_after` followed by a new block.
std::vector<PlannedLayer> expand_and_prune(int64_t source_layers,
                                           const std::set<int64_t>& has_block_after,
                                           const std::set<int64_t>& pruned,
                                           PruneMode mode) {
  std::vector<PlannedLayer> layers;
  std::optional<size_t> last_kept;
  for (int64_t source_layer = 0; source_layer < source_layers; ++source_layer) {
    if (!pruned.contains(source_layer)) {
      last_kept = layers.size();
      layers.push_back(copy_of(source_layer));
    } else if (mode == PruneMode::kCollapse) {
      if (!last_kept) {
        fail_option("prune mode",
                    fmt::format("collapse of layer {} with no kept layer before it", source_layer),
                    "drop, or a kept layer before");
      }
      PlannedLayer& absorbing = layers[*last_kept];
      absorbing.init = Init::kCollapse;
      absorbing.train = true;
      absorbing.from.push_back(source_layer);
    }
    if (has_block_after.contains(source_layer)) {
      layers.push_back(block_after(source_layer, source_layers));
    }
  }
  layers[last_kept.value()].train = true;
  return layers;
}

struct Range {
  int64_t begin;
  int64_t end;
};

Range parse_range(std::string_view text) {
  Range range{};
  const char* const end = text.data() + text.size();
  const auto begin_parsed = std::from_chars(text.data(), end, range.begin);
  if (begin_parsed.ec == std::errc() && begin_parsed.ptr != end && *begin_parsed.ptr == ':') {
    const auto end_parsed = std::from_chars(begin_parsed.ptr + 1, end, range.end);
    if (end_parsed.ec == std::errc() && end_parsed.ptr == end) {
      return range;
    }
  }
  fail_option("ranges", fmt::format("\"{}\"", printable(text)), "BEGIN:END, such as 0:24");
}

}  // namespace

PruneMode prune_mode_from_name(std::string_view name) {
  if (name != "drop" && name != "collapse") {
    fail_option("prune mode", printable(name), "drop or collapse");
  }
  return name == "drop" ? PruneMode::kDrop : PruneMode::kCollapse;
}

std::vector<int64_t> last_layers(int64_t source_layers, int64_t count) {
  require_between("number of layers to prune", count, 0, source_layers - 1);
  std::vector<int64_t> layers;
  for (int64_t source_layer = source_layers - count; source_layer < source_layers; ++source_layer) {
    layers.push_back(source_layer);
  }
  return layers;
}

Plan slayer_plan(int64_t source_layers, int64_t every, double shallow, const Prune& prune) {
  require_between("every", every, 1, source_layers);
  if (!(shallow > 0.0 && shallow <= 1.0)) {
    fail_option("shallow", fmt::format("{:g}", shallow), "a share above 0, at most 1");
  }
  // A share such as 0.29 of 100 layers must not become 28 for want of a bit.
  const auto shallow_layers =
      static_cast<int64_t>(std::floor(shallow * static_cast<double>(source_layers) + 1e-9));
  if (shallow_layers < every) {
    fail_option(
        "shallow",
        fmt::format("{:g}, the first {} of {} layers", shallow, shallow_layers, source_layers),
        fmt::format("at least {} layers to put a new one after", every));
  }
  std::set<int64_t> has_block_after;
  for (int64_t source_layer = every - 1; source_layer < shallow_layers; source_layer += every) {
    has_block_after.insert(source_layer);
  }
  const std::set<int64_t> pruned = checked_prune(source_layers, prune);
  return {.strategy = "slayer",
          .source_layers = source_layers,
          .layers = expand_and_prune(source_layers, has_block_after, pruned, prune.mode)};
}

Plan densify_plan(int64_t source_layers,
                  const std::vector<int64_t>& insert_after,
                  const Prune& prune) {
  const std::set<int64_t> has_block_after =
      checked_layers("layer to insert after", source_layers, insert_after);
  const std::set<int64_t> pruned = checked_prune(source_layers, prune);
  if (has_block_after.empty() && pruned.empty()) {
    fail_option("new layers and layers to prune", "none", "at least one");
  }
  return {.strategy = "auto",
          .source_layers = source_layers,
          .layers = expand_and_prune(source_layers, has_block_after, pruned, prune.mode)};
}

Plan llama_pro_plan(int64_t source_layers, int64_t new_blocks) {
  require_between("number of new layers", new_blocks, 1, source_layers);
  Plan plan{.strategy = "llama-pro", .source_layers = source_layers};
  int64_t source_layer = 0;
  for (int64_t group = 1; group <= new_blocks; ++group) {
    for (; source_layer < group * source_layers / new_blocks; ++source_layer) {
      plan.layers.push_back(copy_of(source_layer));
    }
    plan.layers.push_back({.from = {source_layer - 1}, .zero_output = true, .train = true});
  }
  return plan;
}

Plan solar_plan(int64_t source_layers, int64_t added_layers) {
  require_between("number of new layers", added_layers, 1, source_layers);
  const int64_t left_out = source_layers - added_layers;
  Plan plan = passthrough_plan(
      source_layers,
      fmt::format("0:{},{}:{}", source_layers - left_out / 2, (left_out + 1) / 2, source_layers));
  plan.strategy = "solar";
  for (PlannedLayer& layer : plan.layers) {
    layer.train = true;
  }
  return plan;
}

Plan prune_plan(int64_t source_layers, const Prune& prune) {
  const std::set<int64_t> pruned = checked_prune(source_layers, prune);
  if (pruned.empty()) {
    fail_option("layers to prune", "none", "at least one");
  }
  return {.strategy = "prune",
          .source_layers = source_layers,
          .layers = expand_and_prune(source_layers, {}, pruned, prune.mode)};
}

Plan passthrough_plan(int64_t source_layers, std::string_view ranges) {
  Plan plan{.strategy = "passthrough", .source_layers = source_layers};
  while (true) {
    const size_t comma = ranges.find(',');
    const Range range = parse_range(ranges.substr(0, comma));
    if (range.begin < 0 || range.begin >= range.end || range.end > source_layers) {
      fail_option("ranges",
                  fmt::format("{}:{}", range.begin, range.end),
                  fmt::format("0 <= BEGIN < END <= {}", source_layers));
    }
    for (int64_t source_layer = range.begin; source_layer < range.end; ++source_layer) {
      plan.layers.push_back(copy_of(source_layer));
    }
    if (comma == std::string_view::npos) {
      break;
    }
    ranges.remove_prefix(comma + 1);
  }
  const std::vector<bool> is_new = new_layers(plan);
  for (size_t target_layer = 0; target_layer < plan.layers.size(); ++target_layer) {
    plan.layers[target_layer].train = is_new[target_layer];
  }
  return plan;
}

}  // namespace slayer
