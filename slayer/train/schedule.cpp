#include "slayer/train/schedule.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <utility>

#include "slayer/core/error.h"

namespace slayer {
namespace {

constexpr std::array<std::pair<ScheduleShape, std::string_view>, 4> kNames{
    {{ScheduleShape::kCosine, "cosine"},
     {ScheduleShape::kLinear, "linear"},
     {ScheduleShape::kConstant, "constant"},
     {ScheduleShape::kWsd, "wsd"}}};

}  // namespace

ScheduleShape schedule_shape_from_name(std::string_view name) {
  const auto* const found = std::ranges::find(kNames, name, [](const auto& n) { return n.second; });
  if (found == kNames.end()) {
    throw Error({.file = "--schedule",
                 .found = "\"" + printable(name) + "\"",
                 .expected = "cosine, linear, constant or wsd"});
  }
  return found->first;
}

std::string_view name_of(ScheduleShape shape) {
  return std::ranges::find(kNames, shape, [](const auto& n) { return n.first; })->second;
}

double Schedule::at(int64_t step) const {
  if (step <= warmup_steps) {
    return peak * static_cast<double>(step) / static_cast<double>(warmup_steps);
  }
  const int64_t first = shape == ScheduleShape::kWsd
                            ? std::max(steps - decay_steps, warmup_steps)
                            : warmup_steps;  // The last step at the peak, but for cosine's bend.
  const auto span = static_cast<double>(std::max<int64_t>(steps - first, 1));
  const double progress = std::clamp(static_cast<double>(step - 1 - first) / span, 0.0, 1.0);
  switch (shape) {
    case ScheduleShape::kCosine:
      return floor + (peak - floor) * 0.5 * (1.0 + std::cos(std::numbers::pi * progress));
    case ScheduleShape::kConstant:
      return peak;
    case ScheduleShape::kLinear:
    case ScheduleShape::kWsd:
      break;
  }
  return floor + (peak - floor) * (1.0 - progress);
}

}  // namespace slayer
