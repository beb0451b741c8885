#pragma once

#include "slayer/core/json.h"
#include "slayer/model/causal_lm.h"
#include "slayer/probe/probe_set.h"
#include "slayer/probe/sweep.h"

namespace slayer {

/// First-order sensitivity, from one backward pass: with L the loss in nats per token over the
/// whole text, sum |theta * dL/dtheta| and the norm of dL/dtheta, for each layer and each of its
/// tensors:
///
///   {"layers": [{"layer", "importance", "low", "high", "norm",
///                "projections": {"self_attn.q_proj": {"importance", "norm"}, ...}}, ...]}
///
/// The interval is a jackknife's over up to eight groups of the text's units. The pass goes down
/// layer by layer and computes each layer again from its input, so that the gradients of one layer
/// at a time are alive, beside the text's hidden states at all layers. Source: Molchanov et al.
/// 2019, arXiv 1906.10771, equation 5, without the square.
Json measure_gradient(const CausalLM& model,
                      const ProbeSet& text,
                      const PackingOptions& packing,
                      const ProbeControl& control);

}  // namespace slayer
