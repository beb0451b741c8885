#include "slayer/surgery/plan.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <numeric>
#include <set>

#include "slayer/core/error.h"

namespace slayer {
namespace {

constexpr int64_t kFormat = 1;
/// Far above any model, and low enough that a hostile plan cannot exhaust memory.
constexpr int64_t kMostLayers = 10'000;
/// Decimal weights such as 0.333 need not add up to 1 in binary.
constexpr double kWeightSumTolerance = 1e-6;

constexpr std::array kInitNames{std::pair{Init::kCopy, std::string_view("copy")},
                                std::pair{Init::kAverage, std::string_view("average")},
                                std::pair{Init::kCollapse, std::string_view("collapse")}};

std::string_view name_of(Init init) {
  return std::ranges::find(kInitNames, init, &decltype(kInitNames)::value_type::first)->second;
}

Init init_from_name(const JsonObject& object) {
  const std::string name = object.string_or("init", "copy");
  const auto entry = std::ranges::find(kInitNames, name, &decltype(kInitNames)::value_type::second);
  if (entry == kInitNames.end()) {
    object.fail("init", printable(name), "copy, average or collapse");
  }
  return entry->first;
}

std::vector<int64_t> integers_from_json(const JsonObject& object, std::string_view key) {
  std::vector<int64_t> values;
  for (const Json& value : object.array(key)) {
    if (!value.is_number_integer()) {
      object.fail(key, printable(compact_text(value)), "an array of integers");
    }
    values.push_back(value.get<int64_t>());
  }
  return values;
}

std::vector<double> numbers_from_json(const JsonObject& object, std::string_view key) {
  std::vector<double> values;
  for (const Json& value : object.array(key)) {
    if (!value.is_number()) {
      object.fail(key, printable(compact_text(value)), "an array of numbers");
    }
    values.push_back(value.get<double>());
  }
  return values;
}

PlannedLayer layer_from_json(const JsonObject& object) {
  object.refuse_unknown_keys({"from", "init", "weights", "zero_output", "train"});
  PlannedLayer layer;
  layer.from = integers_from_json(object, "from");
  layer.init = init_from_name(object);
  if (object.has("weights")) {
    layer.weights = numbers_from_json(object, "weights");
  }
  layer.zero_output = object.boolean_or("zero_output", false);
  layer.train = object.boolean_or("train", false);
  return layer;
}

Json layer_to_json(const PlannedLayer& layer) {
  Json json{{"from", layer.from}, {"init", name_of(layer.init)}};
  if (!layer.weights.empty()) {
    json["weights"] = layer.weights;
  }
  if (layer.zero_output) {
    json["zero_output"] = true;
  }
  json["train"] = layer.train;
  return json;
}

void validate_sources(const PlannedLayer& layer, int64_t source_layers, const ErrorParts& where) {
  const auto fail = [&where](std::string found, std::string expected) {
    ErrorParts parts = where;
    parts.item += ".from";
    parts.found = std::move(found);
    parts.expected = std::move(expected);
    throw Error(parts);
  };
  for (const int64_t source_layer : layer.from) {
    if (source_layer < 0 || source_layer >= source_layers) {
      fail(fmt::format("{}", source_layer),
           fmt::format("a source layer from 0 to {}", source_layers - 1));
    }
  }
  const auto count = static_cast<int64_t>(layer.from.size());
  if (layer.init == Init::kCopy && count != 1) {
    fail(fmt::format("{} layers", count), "one, since init is copy");
  }
  if (layer.init == Init::kAverage && (count < 1 || count > kMostLayers)) {
    fail(fmt::format("{} layers", count), fmt::format("1 to {}", kMostLayers));
  }
  if (layer.init == Init::kCollapse) {
    const std::set<int64_t> distinct(layer.from.begin(), layer.from.end());
    if (count < 2 || distinct.size() != layer.from.size()) {
      fail(fmt::format("[{}]", fmt::join(layer.from, ", ")),
           "two or more different layers, since init is collapse");
    }
  }
}

void validate_weights(const PlannedLayer& layer, const ErrorParts& where) {
  if (layer.weights.empty()) {
    return;
  }
  ErrorParts parts = where;
  parts.item += ".weights";
  if (layer.init != Init::kAverage) {
    parts.found = fmt::format("weights with init {}", name_of(layer.init));
    parts.expected = "init average";
    throw Error(parts);
  }
  if (layer.weights.size() != layer.from.size()) {
    parts.found = fmt::format("{} weights", layer.weights.size());
    parts.expected = fmt::format("{}, one for each source layer", layer.from.size());
    throw Error(parts);
  }
  const double sum = std::accumulate(layer.weights.begin(), layer.weights.end(), 0.0);
  if (!(std::abs(sum - 1.0) <= kWeightSumTolerance)) {  // so that NaN fails
    parts.found = fmt::format("a sum of {:g}", sum);
    parts.expected = "a sum of 1";
    throw Error(parts);
  }
}

/// "5", "5 and 6", "5, 6 and 7", each with its weight if there are any.
std::string enumerate(std::span<const int64_t> layers, std::span<const double> weights = {}) {
  std::string text;
  for (size_t index = 0; index < layers.size(); ++index) {
    if (index > 0) {
      text += index + 1 == layers.size() ? " and " : ", ";
    }
    text += fmt::format("{}", layers[index]);
    if (!weights.empty()) {
      text += fmt::format(" ({:g})", weights[index]);
    }
  }
  return text;
}

std::string describe_new(const PlannedLayer& layer) {
  std::string text;
  switch (layer.init) {
    case Init::kCopy:
      text = fmt::format("copy of {}", layer.from.front());
      break;
    case Init::kAverage:
      text = fmt::format("average of {}", enumerate(layer.from, layer.weights));
      break;
    case Init::kCollapse:
      text = fmt::format(
          "{} absorbs {}", layer.from.front(), enumerate(std::span(layer.from).subspan(1)));
      break;
  }
  return text + (layer.zero_output ? ", zero output" : "");
}

}  // namespace

void validate(const Plan& plan, const std::string& file) {
  if (plan.source_layers < 1 || plan.source_layers > kMostLayers) {
    throw Error({.file = file,
                 .item = "source.layers",
                 .found = fmt::format("{}", plan.source_layers),
                 .expected = fmt::format("1 to {}", kMostLayers)});
  }
  if (plan.layers.empty() || plan.layers.size() > size_t{kMostLayers}) {
    throw Error({.file = file,
                 .item = "layers",
                 .found = fmt::format("{} layers", plan.layers.size()),
                 .expected = fmt::format("1 to {}", kMostLayers)});
  }
  for (size_t target_layer = 0; target_layer < plan.layers.size(); ++target_layer) {
    const ErrorParts where{.file = file, .item = fmt::format("layers[{}]", target_layer)};
    validate_sources(plan.layers[target_layer], plan.source_layers, where);
    validate_weights(plan.layers[target_layer], where);
  }
}

Plan plan_from_json(const Json& json, const std::string& file) {
  const JsonObject object(json, file);
  object.refuse_unknown_keys({"format", "strategy", "source", "layers"});
  object.integer("format", kFormat, kFormat);
  const JsonObject source = object.object("source");
  source.refuse_unknown_keys({"layers", "hash"});
  Plan plan;
  plan.strategy = object.string_or("strategy", "custom");
  plan.source_layers = source.integer("layers", 1, kMostLayers);
  plan.source_hash = source.string_or("hash", "");
  for (const Json& layer : object.array("layers")) {
    plan.layers.push_back(
        layer_from_json(JsonObject(layer, file, fmt::format("layers[{}]", plan.layers.size()))));
  }
  validate(plan, file);
  return plan;
}

Json plan_to_json(const Plan& plan) {
  Json layers = Json::array();
  for (const PlannedLayer& layer : plan.layers) {
    layers.push_back(layer_to_json(layer));
  }
  return {{"format", kFormat},
          {"strategy", plan.strategy},
          {"source", {{"layers", plan.source_layers}, {"hash", plan.source_hash}}},
          {"layers", std::move(layers)}};
}

Plan read_plan_file(const std::filesystem::path& path) {
  return plan_from_json(read_json_file(path), path.string());
}

std::string plan_file_text(const Plan& plan) {
  const Json json = plan_to_json(plan);
  std::vector<std::string> lines;
  for (const Json& layer : json["layers"]) {
    lines.push_back("    " + compact_text(layer));
  }
  return fmt::format(
      "{{\n  \"format\": {},\n  \"strategy\": {},\n  \"source\": {},\n  \"layers\": [\n{}\n  "
      "]\n}}\n",
      kFormat,
      compact_text(json["strategy"]),
      compact_text(json["source"]),
      fmt::join(lines, ",\n"));
}

std::vector<int64_t> dropped_layers(const Plan& plan) {
  std::set<int64_t> kept;
  for (const PlannedLayer& layer : plan.layers) {
    if (layer.is_plain_copy()) {
      kept.insert(layer.from.front());
    }
  }
  std::vector<int64_t> dropped;
  for (int64_t source_layer = 0; source_layer < plan.source_layers; ++source_layer) {
    if (!kept.contains(source_layer)) {
      dropped.push_back(source_layer);
    }
  }
  return dropped;
}

bool is_identity(const Plan& plan) {
  int64_t next_source_layer = 0;
  for (const PlannedLayer& layer : plan.layers) {
    if (layer.zero_output) {
      continue;
    }
    if (!layer.is_plain_copy() || layer.from.front() != next_source_layer) {
      return false;
    }
    ++next_source_layer;
  }
  return next_source_layer == plan.source_layers;
}

std::vector<int64_t> layer_origins(const Plan& plan) {
  std::vector<int64_t> origins;
  for (const PlannedLayer& layer : plan.layers) {
    origins.push_back(layer.from.front());
  }
  return origins;
}

std::vector<bool> new_layers(const Plan& plan) {
  std::set<int64_t> seen;
  std::vector<bool> result;
  for (const PlannedLayer& layer : plan.layers) {
    const bool stands_for_its_source = layer.init != Init::kAverage && !layer.zero_output;
    result.push_back(!stands_for_its_source || !seen.insert(layer.from.front()).second);
  }
  return result;
}

std::vector<std::string> describe_layers(const Plan& plan) {
  const std::vector<bool> is_new = new_layers(plan);
  std::vector<std::string> descriptions;
  int64_t kept_before = -1;
  for (size_t target_layer = 0; target_layer < plan.layers.size(); ++target_layer) {
    const PlannedLayer& layer = plan.layers[target_layer];
    if (layer.is_plain_copy()) {
      descriptions.push_back(
          fmt::format("copied {}{}", layer.from.front(), is_new[target_layer] ? " again" : ""));
    } else if (is_new[target_layer]) {
      const std::string place =
          kept_before < 0 ? "new at the start" : fmt::format("new after {}", kept_before);
      descriptions.push_back(fmt::format("{}: {}", place, describe_new(layer)));
    } else {
      descriptions.push_back(describe_new(layer));
    }
    if (!is_new[target_layer] || layer.is_plain_copy()) {
      kept_before = layer.from.front();
    }
  }
  return descriptions;
}

}  // namespace slayer
