#include "slayer/train/parameter_groups.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <string_view>

#include "slayer/core/error.h"

namespace slayer {
namespace {

constexpr std::array<std::string_view, 5> kGroups{"new", "old", "embeddings", "lora-a", "lora-b"};
constexpr double kLargestFactor = 1000.0;

/// For each layer whether surgery added it.
std::vector<bool> added_layers(const std::optional<SurgeryRecord>& record) {
  return record ? new_layers(record->plan) : std::vector<bool>();
}

std::string layer_group(int64_t layer, const std::vector<bool>& added) {
  const auto index = static_cast<size_t>(layer);
  return index < added.size() && added[index] ? "new" : "old";
}

std::string group_of(const TrainableParameter& parameter, const std::vector<bool>& added) {
  if (parameter.name.ends_with(".lora_A.weight")) {
    return "lora-a";
  }
  if (parameter.name.ends_with(".lora_B.weight")) {
    return "lora-b";
  }
  if (parameter.layer < 0) {
    return parameter.model.dim() > 1 ? "embeddings" : "old";
  }
  return layer_group(parameter.layer, added);
}

}  // namespace

std::pair<std::string, double> parse_lr_scale(const std::string& text) {
  const size_t equals = std::min(text.find('='), text.size());
  const std::string group = text.substr(0, equals);
  const std::string number = equals < text.size() ? text.substr(equals + 1) : "";
  double factor = -1.0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), factor);
  const bool is_number = error == std::errc() && end == number.data() + number.size();
  if (std::ranges::find(kGroups, group) == kGroups.end() || !is_number || !(factor >= 0.0) ||
      factor > kLargestFactor) {
    throw Error({.file = "--lr-scale",
                 .found = "\"" + printable(text) + "\"",
                 .expected = fmt::format("GROUP=FACTOR, the group one of {}, the factor from 0 to "
                                         "{:g}",
                                         fmt::join(kGroups, ", "),
                                         kLargestFactor)});
  }
  return {group, factor};
}

std::set<std::string> parameter_groups(const TrainableSet& set,
                                       const std::optional<SurgeryRecord>& record) {
  if (set.lora) {
    return {"lora-a", "lora-b"};
  }
  const std::vector<bool> added = added_layers(record);
  std::set<std::string> groups;
  for (const int64_t layer : set.layers) {
    groups.insert(layer_group(layer, added));
  }
  if (set.has_all) {
    groups.insert({"old", "embeddings"});
  }
  return groups;
}

void validate(const LrScales& scales, const std::set<std::string>& groups) {
  for (const auto& [group, factor] : scales) {
    if (!groups.contains(group)) {
      throw Error(
          {.file = "--lr-scale",
           .found = group,
           .expected = fmt::format("a group that trains here: {}", fmt::join(groups, ", "))});
    }
  }
}

void apply_lr_scales(const LrScales& scales,
                     const std::optional<SurgeryRecord>& record,
                     std::vector<TrainableParameter>& parameters) {
  const std::vector<bool> added = added_layers(record);
  for (TrainableParameter& parameter : parameters) {
    if (const auto scale = scales.find(group_of(parameter, added)); scale != scales.end()) {
      parameter.lr_scale = scale->second;
    }
  }
}

}  // namespace slayer
