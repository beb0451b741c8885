#pragma once

#include "slayer/model/causal_lm.h"
#include "slayer/train/batch.h"

namespace slayer {

/// Runs the batch forward and backward and adds the gradient of (loss summed over the targets) *
/// `scale` to the `grad` of every tensor of the model that requires one. Nothing below the lowest
/// of them is kept for the backward pass, and frozen weights get no gradient.
/// @return the loss summed over the batch's targets, in nats.
double accumulate_gradients(const CausalLM& model, const Batch& batch, double scale);

}  // namespace slayer
