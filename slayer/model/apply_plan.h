#pragma once

#include "slayer/model/causal_lm.h"
#include "slayer/surgery/plan.h"

namespace slayer {

/// The model that `plan` makes of `base`, without writing anything: plain copies share the base's
/// tensors, other layers are computed as surgery computes them (float32, rounded to the base's
/// dtype): the same bits that `slayer apply` writes, where `base` was loaded in its stored dtype.
/// @throws Error when the plan is for another number of layers, or does not validate.
CausalLM apply_plan(const CausalLM& base, const Plan& plan);

/// One layer of it, for who runs layers one by one. `planned` must be valid for `base`.
DecoderLayer planned_layer(const CausalLM& base, const PlannedLayer& planned);

}  // namespace slayer
