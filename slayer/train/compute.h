#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "slayer/checkpoint/config.h"

namespace slayer {

/// What --compute auto means: float32, or bfloat16 where the model is stored so and this machine
/// multiplies matrices of its size far faster in it (AMX, a GPU). Measured, in a tenth of a second.
std::string quicker_compute(const ModelConfig& config, at::Device device);

}  // namespace slayer
