#include "slayer/surgery/summary.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <set>
#include <vector>

#include "slayer/checkpoint/family.h"

namespace slayer {
namespace {

/// Source layers that no target layer stands for.
std::set<int64_t> gone_layers(const Plan& plan) {
  std::set<int64_t> gone;
  for (int64_t source_layer = 0; source_layer < plan.source_layers; ++source_layer) {
    gone.insert(source_layer);
  }
  const std::vector<bool> is_new = new_layers(plan);
  for (size_t target_layer = 0; target_layer < plan.layers.size(); ++target_layer) {
    if (!is_new[target_layer]) {
      gone.erase(plan.layers[target_layer].from.front());
    }
  }
  return gone;
}

/// One line of the table for the layers [begin, end), all plain copies of neighbours when several.
std::string table_line(
    const Plan& plan, bool is_new, std::string origin, size_t begin, size_t end) {
  std::string numbers = fmt::format("{}", begin);
  const PlannedLayer& first = plan.layers[begin];
  if (end - begin > 1) {
    const int64_t last_source = plan.layers[end - 1].from.front();
    numbers += fmt::format("-{}", end - 1);
    origin = fmt::format("copied {}-{}{}", first.from.front(), last_source, is_new ? " again" : "");
  }
  return fmt::format(
      "{:>9} {}  {}{}\n", numbers, is_new ? '+' : ' ', origin, first.train ? ", trained" : "");
}

}  // namespace

PlanSummary summarize(const Plan& plan, const ModelConfig& source, Dtype dtype) {
  const ModelConfig config = with_layers(source, layer_origins(plan));
  const std::vector<bool> is_new = new_layers(plan);
  const auto trained = std::ranges::count_if(plan.layers, &PlannedLayer::train);
  PlanSummary summary{.layers = config.num_hidden_layers,
                      .new_layers = std::ranges::count(is_new, true),
                      .trained_layers = trained,
                      .parameters = parameter_count(config),
                      .trained_parameters = trained * parameters_per_layer(config)};
  summary.bytes_on_disk = summary.parameters * size_in_bytes(dtype);
  return summary;
}

std::string sketch_layers(const Plan& plan) {
  const std::vector<bool> is_new = new_layers(plan);
  std::set<int64_t> gone = gone_layers(plan);
  std::string sketch;
  const auto show_gone_before = [&](int64_t source_layer) {
    while (!gone.empty() && *gone.begin() < source_layer) {
      sketch += 'x';
      gone.erase(gone.begin());
    }
  };
  for (size_t target_layer = 0; target_layer < plan.layers.size(); ++target_layer) {
    const PlannedLayer& layer = plan.layers[target_layer];
    if (is_new[target_layer]) {
      sketch += '+';
    } else {
      show_gone_before(layer.from.front());
      sketch += layer.train ? '*' : '=';
    }
  }
  show_gone_before(plan.source_layers);
  return sketch;
}

std::string tabulate_layers(const Plan& plan) {
  const std::vector<bool> is_new = new_layers(plan);
  const std::vector<std::string> descriptions = describe_layers(plan);
  const auto continues = [&](size_t target_layer) {
    const PlannedLayer& before = plan.layers[target_layer - 1];
    const PlannedLayer& layer = plan.layers[target_layer];
    return before.is_plain_copy() && layer.is_plain_copy() && before.train == layer.train &&
           is_new[target_layer - 1] == is_new[target_layer] &&
           before.from.front() + 1 == layer.from.front();
  };
  std::string table;
  for (size_t begin = 0; begin < plan.layers.size();) {
    size_t end = begin + 1;
    while (end < plan.layers.size() && continues(end)) {
      ++end;
    }
    table += table_line(plan, is_new[begin], descriptions[begin], begin, end);
    begin = end;
  }
  if (const std::set<int64_t> gone = gone_layers(plan); !gone.empty()) {
    table += fmt::format("{:>9} x  gone: {}\n", "", fmt::join(gone, ", "));
  }
  return table;
}

}  // namespace slayer
