#pragma once

#include <cstdint>
#include <string_view>

namespace slayer {

/// How the learning rate goes on after the warm-up.
enum class ScheduleShape : uint8_t {
  kCosine,    ///< Half a cosine down to the floor. Source: transformers' cosine_with_min_lr.
  kLinear,    ///< A straight line down to the floor.
  kConstant,  ///< It stays at the peak.
  kWsd        ///< It stays, then falls in a straight line over the last steps (warm-up, stable,
              ///< decay; Hu et al. 2024, arXiv 2404.06395), so that a training can be made longer.
};

/// "cosine", "linear", "constant" or "wsd". @throws Error for another word.
ScheduleShape schedule_shape_from_name(std::string_view name);
std::string_view name_of(ScheduleShape shape);

/// Learning rate over a training: linear warm-up to the peak, then by shape.
struct Schedule {
  ScheduleShape shape = ScheduleShape::kCosine;
  double peak = 0.0;
  double floor = 0.0;
  int64_t warmup_steps = 0;
  int64_t decay_steps = 0;  ///< kWsd only: how many of the last steps it falls.
  int64_t steps = 0;

  /// The rate of step `step`, counted from 1. The first step of a warm-up already moves: steps are
  /// dear.
  double at(int64_t step) const;
};

}  // namespace slayer
