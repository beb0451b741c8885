#pragma once

#include <cstdint>
#include <vector>

#include "slayer/core/json.h"
#include "slayer/eval/statistics.h"
#include "slayer/model/causal_lm.h"
#include "slayer/probe/probe_set.h"
#include "slayer/probe/sweep.h"

namespace slayer {

/// Which layers can go together at the least loss, measured jointly since costs do not add:
///
///   {"steps": [{"count": 1, "layers": [14], "loss", "low", "high", "dip", "dip_low", "dip_high",
///               "collapse": {"loss", ..., "dip", ...}}, {"count": 2, ...}, ...]}
///
/// For each count up to `most` the best of all runs of that many consecutive layers and of the
/// count before with one more layer, out of those cheapest to remove alone. collapse: the same when
/// the layer before each run absorbs it; left out where there is none.
/// @throws Error unless a layer at least is left.
Json search_prune(const CausalLM& base,
                  const ProbeSet& text,
                  int64_t most,
                  const SweepOptions& options,
                  const BootstrapOptions& bootstrap,
                  const ProbeControl& control);

}  // namespace slayer
