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
  /// Only the best and the worst so many variants of each method are wanted exactly: those that
  /// are, with confidence, neither are left where they are. Looked at after each chunk.
  std::optional<int64_t> race = {};
};

/// What each variant got of each measure on each group; NaN where a race had left it.
struct SweepScores {
  std::vector<std::vector<std::vector<double>>> values;  ///< [variant][measure][group]

  bool has(size_t variant, size_t group) const;
};

/// Measures all variants on `set`. One of them is the base.
/// @throws Interrupted when asked to stop; what was measured by then is in the journal.
SweepScores run_sweep(const CausalLM& base,
                      const ProbeSet& set,
                      const std::vector<Variant>& variants,
                      const SweepOptions& options,
                      const ProbeControl& control);

}  // namespace slayer
