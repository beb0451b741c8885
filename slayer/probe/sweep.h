#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <vector>

#include "slayer/core/progress.h"
#include "slayer/model/causal_lm.h"
#include "slayer/probe/journal.h"
#include "slayer/probe/packed_chunk.h"
#include "slayer/probe/probe_set.h"
#include "slayer/probe/race.h"
#include "slayer/probe/sweep_scores.h"
#include "slayer/probe/variant.h"

namespace slayer {

/// How a probe tells where it is, remembers, and is asked to stop.
struct ProbeControl {
  ProbeJournal& journal;
  ProgressStyle progress = ProgressStyle::kSilent;
  std::stop_token stop = {};
};

/// @throws Interrupted when asked to stop.
void throw_if_stopped(const ProbeControl& control);

struct SweepOptions {
  PackingOptions packing = {};
  int64_t logit_rows = 256;
  /// Variants stop when their places are settled. Looked at after each chunk, so chunks are
  /// smaller.
  std::optional<RaceOptions> race = {};

  /// Without the race, in the chunks that it would have: what it noted in the journal stays of use.
  SweepOptions to_the_end(const ProbeSet& set) const;
};

/// Measures all variants on `set`. The first is the base.
/// @throws Interrupted when asked to stop; what was measured by then is in the journal.
SweepScores run_sweep(const CausalLM& base,
                      const ProbeSet& set,
                      const std::vector<Variant>& variants,
                      const SweepOptions& options,
                      const ProbeControl& control);

}  // namespace slayer
