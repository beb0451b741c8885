#pragma once

#include <cstdint>
#include <vector>

#include "slayer/probe/probe_set.h"
#include "slayer/probe/sweep.h"
#include "slayer/probe/variant.h"

namespace slayer {

/// Which of `running` variants go on after the first `groups` groups: the base, and those that may
/// yet be among the best or the worst `wanted` of their method. One is out when as many others are
/// better, and as many worse, by more than chance explains in paired differences over the groups.
/// Source: Maron and Moore 1994, Hoeffding races; the test is the paired one of Moore and Lee 1994.
std::vector<size_t> survivors(const ProbeSet& set,
                              const std::vector<Variant>& variants,
                              const SweepScores& scores,
                              const std::vector<size_t>& running,
                              size_t groups,
                              int64_t wanted);

}  // namespace slayer
