#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "slayer/core/json.h"
#include "slayer/eval/statistics.h"
#include "slayer/model/causal_lm.h"
#include "slayer/probe/probe_set.h"
#include "slayer/probe/sweep.h"
#include "slayer/probe/variant.h"

namespace slayer {

/// Which measurements are wanted.
struct ProbeMethods {
  bool remove = false;
  bool expand = false;
  bool angular = false;
  bool gradient = false;
  bool lens = false;
  int64_t span = 1;                     ///< remove: consecutive layers at a time.
  int64_t last = 0;                     ///< Also the last 1 to so many layers removed.
  int64_t prune = 0;                    ///< Also search which so many layers can go together.
  RepeatInit init = RepeatInit::kCopy;  ///< expand
  int64_t copies = 1;                   ///< expand

  bool has_variants() const { return remove || expand || last > 0; }
};

/// @throws Error for an unknown name. Known: remove, expand, angular, gradient, lens.
void add_method(const std::string& name, ProbeMethods& methods);

/// @throws Error for methods that cannot be followed with a model of so many layers, and those that
/// need a text where there is none.
void check_methods(const ProbeMethods& methods, int64_t layers, bool has_text);

/// One text and any tasks, probed together; either may be missing.
struct ProbeSection {
  std::string name = {};  ///< "domain", "general", or "" where there is no such difference.
  std::vector<ProbeSet> texts = {};  ///< None or one.
  std::vector<ProbeSet> tasks = {};
};

struct ProbeOptions {
  ProbeMethods methods = {};
  SweepOptions sweep = {};
  BootstrapOptions bootstrap = {.draws = 2000};
};

/// Measures everything and makes probe.json, which docs/probe.md describes. `hash` is the model's;
/// of the sections that have a text, the last decides what can be pruned.
/// @throws Error as check_methods; Interrupted when asked to stop.
Json run_probe(const CausalLM& model,
               const std::string& hash,
               const std::vector<ProbeSection>& sections,
               const ProbeOptions& options,
               const ProbeControl& control);

}  // namespace slayer
