#pragma once

#include <ATen/core/Tensor.h>

#include "slayer/checkpoint/checkpoint.h"
#include "slayer/model/causal_lm.h"

namespace slayer {

/// Loads all weights as `dtype` on `device`. Tensors on the CPU that the checkpoint stores as
/// `dtype` are the mapped file itself, so that loading takes no time and no memory: they must not
/// be written to (clone() what is to be trained).
/// @throws Error listing everything missing or wrong-shaped.
CausalLM load_causal_lm(const Checkpoint& checkpoint, at::ScalarType dtype, at::Device device);

}  // namespace slayer
