#pragma once

#include <cstdint>

#include "slayer/checkpoint/config.h"
#include "slayer/core/dtype.h"
#include "slayer/surgery/training_memory.h"
#include "slayer/train/trainable.h"

namespace slayer {

/// A step, as far as memory follows from it.
struct StepShape {
  Dtype compute = Dtype::kF32;
  int64_t tokens = 0;  ///< That run together.
  bool is_recomputed = false;
  bool has_int8_frozen = false;
};

/// What training the set, which may be empty, in a model of this config takes.
TrainingMemory training_memory(const ModelConfig& config,
                               const TrainableSet& set,
                               const StepShape& step);

}  // namespace slayer
