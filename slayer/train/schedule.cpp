#include "slayer/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace slayer {

double Schedule::at(int64_t step) const {
  if (step <= warmup_steps) {
    return peak * static_cast<double>(step) / static_cast<double>(warmup_steps);
  }
  const auto decay_steps = static_cast<double>(std::max<int64_t>(steps - warmup_steps, 1));
  const double progress = static_cast<double>(step - 1 - warmup_steps) / decay_steps;
  return peak * 0.5 * (1.0 + std::cos(std::numbers::pi * std::min(progress, 1.0)));
}

}  // namespace slayer
