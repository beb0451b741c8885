#pragma once

#include "slayer/core/json.h"
#include "slayer/eval/statistics.h"
#include "slayer/model/causal_lm.h"
#include "slayer/probe/probe_set.h"
#include "slayer/probe/sweep.h"

namespace slayer {

/// How much layers turn the hidden state, from one forward pass over a text:
///
///   {"layers": [{"layer", "angular", "low", "high", "influence", "influence_low",
///                "influence_high"}, ...],
///    "spans": [[of start 0, of start 1, ...] of 1 layer, [...] of 2 layers, ...],
///    "influence_spans": as spans}
///
/// angular: arccos(cosine) / pi between what enters the first layer of a span and what leaves its
/// last, at each sequence's last token; 0 to 1. influence: 1 - cosine, the mean over all tokens.
/// Source: Gromov et al. 2024, arXiv 2403.17887, section 3.2; Men et al. 2024, arXiv 2403.03853
/// (ShortGPT), equation 1.
Json measure_angular(const CausalLM& model,
                     const ProbeSet& text,
                     const PackingOptions& packing,
                     const BootstrapOptions& bootstrap,
                     const ProbeControl& control);

}  // namespace slayer
