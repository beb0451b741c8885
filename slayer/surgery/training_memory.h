#pragma once

#include <cstdint>

#include "slayer/checkpoint/config.h"
#include "slayer/core/dtype.h"
#include "slayer/surgery/plan.h"

namespace slayer {

/// What of a training its memory follows from.
struct TrainingShape {
  Dtype dtype = Dtype::kF32;       ///< Of the arithmetic.
  int64_t tokens = 0;              ///< That run together.
  int64_t layers_in_graph = 0;     ///< From the lowest trained one up; 0: nothing trains.
  int64_t layers_with_inputs = 0;  ///< Whose products' inputs are kept: trained, or with adapters.
  bool is_recomputed = false;      ///< One layer at a time is in the graph.
  int64_t trained_parameters = 0;
  bool trains_embeddings = false;   ///< And the head.
  int64_t adapter_activations = 0;  ///< Of a token in a layer: ranks of all adapters; 0: none.
  int64_t int8_weights = 0;         ///< Kept as 8-bit integers too.
};

/// Bytes that a training takes.
struct TrainingMemory {
  int64_t weights = 0;      ///< In the arithmetic; what trains in float32 too.
  int64_t gradients = 0;    ///< Float32, of what trains.
  int64_t optimizer = 0;    ///< AdamW's two moments in float32.
  int64_t activations = 0;  ///< What autograd keeps, and the buffers that a layer's passes work in.
  int64_t program = 0;      ///< Itself with libtorch, and its products' copy of the head.

  /// What no size of a batch changes.
  int64_t state() const { return weights + gradients + optimizer; }
  int64_t total() const { return state() + activations + program; }
};

/// An estimate from shapes alone. Within a tenth of what was measured on SmolLM2: plan's layers,
/// adapters and everything trained, in float32 and bfloat16, kept and recomputed.
TrainingMemory training_memory(const ModelConfig& config, const TrainingShape& shape);

/// Of training the plan's trained layers.
TrainingMemory training_memory(const Plan& plan,
                               const ModelConfig& source,
                               Dtype dtype,
                               int64_t batch_size,
                               int64_t sequence_length);

}  // namespace slayer
