#pragma once

#include "slayer/core/json.h"
#include "slayer/eval/statistics.h"
#include "slayer/model/causal_lm.h"
#include "slayer/probe/probe_set.h"
#include "slayer/probe/sweep.h"

namespace slayer {

/// The logit lens: the loss when what leaves each layer goes straight through the final norm and
/// the head. {"layers": [{"layer", "loss", "low", "high"}, ...]}; the last layer's is the base's.
/// Source: nostalgebraist 2020, "interpreting GPT: the logit lens".
Json measure_lens(const CausalLM& model,
                  const ProbeSet& text,
                  const SweepOptions& options,
                  const BootstrapOptions& bootstrap,
                  const ProbeControl& control);

}  // namespace slayer
