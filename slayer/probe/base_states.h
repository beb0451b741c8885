#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

#include "slayer/model/causal_lm.h"
#include "slayer/probe/packed_chunk.h"

namespace slayer {

/// One forward pass of the model over one batch without a prefix.
/// @param on_state called with 0 and the embeddings, then with 1 and what leaves layer 0, and so
/// on, each [rows, columns, hidden].
void watch_states(const CausalLM& model,
                  const PackedBatch& batch,
                  const std::function<void(int64_t, const at::Tensor&)>& on_state);

}  // namespace slayer
