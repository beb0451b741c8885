#pragma once

#include <cstdint>

namespace slayer {

/// Learning rate over a training: linear warm-up to the peak, then half a cosine to zero.
/// Source: transformers get_cosine_schedule_with_warmup.
struct Schedule {
  double peak = 0.0;
  int64_t warmup_steps = 0;
  int64_t steps = 0;

  /// The rate of step `step`, counted from 1. The first step of a warm-up already moves: steps are
  /// dear.
  double at(int64_t step) const;
};

}  // namespace slayer
