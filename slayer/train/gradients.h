#pragma once

#include "slayer/model/causal_lm.h"
#include "slayer/train/batch.h"

namespace slayer {

/// What is kept of the forward pass for the backward pass.
enum class Activations : uint8_t {
  kKept,       ///< All that it needs.
  kRecomputed  ///< Each layer's input; the layer runs once more when its turn comes. A third more
               ///< work where all layers train, and the memory of one layer instead of all.
               ///< Source: Chen et al. 2016, arXiv 1604.06174.
};

/// Runs the batch forward and backward and adds the gradient of (loss summed over the targets) *
/// `scale` to the `grad` of every tensor of the model that requires one. Nothing below the lowest
/// of them is kept for the backward pass, and frozen weights get no gradient.
/// @return the loss summed over the batch's targets, in nats.
double accumulate_gradients(const CausalLM& model,
                            const Batch& batch,
                            double scale,
                            Activations activations = Activations::kKept);

}  // namespace slayer
