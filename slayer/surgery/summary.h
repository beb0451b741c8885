#pragma once

#include <cstdint>
#include <string>

#include "slayer/checkpoint/config.h"
#include "slayer/core/dtype.h"
#include "slayer/core/json.h"
#include "slayer/surgery/plan.h"

namespace slayer {

/// What a plan makes of a model, in numbers.
struct PlanSummary {
  int64_t layers = 0;
  int64_t new_layers = 0;
  int64_t trained_layers = 0;
  int64_t parameters = 0;  ///< A tied head counts once.
  int64_t trained_parameters = 0;
  int64_t bytes_on_disk = 0;  ///< Of the tensors, stored as `dtype`.
};

PlanSummary summarize(const Plan& plan, const ModelConfig& source, Dtype dtype);

/// Bytes that training the plan's trained layers takes.
struct TrainingMemory {
  int64_t weights = 0;      ///< Frozen ones as stored, trained ones in float32.
  int64_t gradients = 0;    ///< Float32, of the trained layers only.
  int64_t optimizer = 0;    ///< AdamW's two moments in float32.
  int64_t activations = 0;  ///< See activation_bytes.
  int64_t program = 0;      ///< See program_bytes.

  int64_t total() const { return weights + gradients + optimizer + activations + program; }
};

/// What of a training's step takes memory with its tokens.
struct StepShape {
  int64_t tokens = 0;           ///< That run together.
  int64_t layers_in_graph = 0;  ///< From the lowest trained one up.
  int64_t layers_with_inputs =
      0;                       ///< Whose linear layers' inputs are kept: trained, or with adapters.
  bool is_recomputed = false;  ///< One layer at a time is in the graph.
};

/// Bytes of what autograd keeps of the layers, and of the buffers that a layer's passes work in.
/// Within a tenth of what was measured on SmolLM2 with two batch sizes, float32 and bfloat16, kept
/// and recomputed.
int64_t activation_bytes(const ModelConfig& config, Dtype dtype, const StepShape& step);

/// Bytes of the program itself with libtorch, and of its products' copy of the head.
int64_t program_bytes(const ModelConfig& config, Dtype dtype);

/// An estimate from shapes alone, with arithmetic in `dtype`.
TrainingMemory estimate_training_memory(const Plan& plan,
                                        const ModelConfig& source,
                                        Dtype dtype,
                                        int64_t batch_size,
                                        int64_t sequence_length);

/// The layers in one line, a character each, the embedding's side first: = kept, + new, * kept and
/// trained, x gone.
std::string sketch_layers(const Plan& plan);

/// The layers in a table, a line each, untouched neighbours together.
std::string tabulate_layers(const Plan& plan);

}  // namespace slayer
