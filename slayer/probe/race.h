#pragma once

#include <cstdint>
#include <vector>

#include "slayer/probe/probe_set.h"
#include "slayer/probe/sweep.h"
#include "slayer/probe/variant.h"

namespace slayer {

/// Which of `running` variants go on after the first `groups` groups: the base, and those that may
/// yet end among the best or the worst `wanted` of their method. The chance of that is counted over
/// draws of what the groups that are left will give, under which all variants move together as they
/// did on the groups seen; a variant stops where it is negligible.
/// @pre the groups are in random order.
/// Source: the race is that of Maron and Moore 1994; the draws are of Student's t as in a Bayesian
/// bootstrap of paired differences, their spread for groups drawn without replacement (Cochran
/// 1977, section 2.6) and with a variance that all pairs share a part of (Smyth 2004, limma).
std::vector<size_t> survivors(const ProbeSet& set,
                              const std::vector<Variant>& variants,
                              const SweepScores& scores,
                              const std::vector<size_t>& running,
                              size_t groups,
                              int64_t wanted);

}  // namespace slayer
