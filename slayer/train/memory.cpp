#include "slayer/train/memory.h"

#include <algorithm>

#include "slayer/checkpoint/family.h"

namespace slayer {
namespace {

/// Bytes of the frozen matrices as 8-bit integers: the layers' once for each product, the head's
/// for the forward one.
int64_t int8_bytes(const ModelConfig& config, const TrainableSet& set) {
  int64_t bytes = config.vocab_size * config.hidden_size;
  for (const ExpectedTensor& expected : expected_tensors(config)) {
    const bool is_frozen = set.lora || !std::ranges::binary_search(set.layers, expected.layer);
    if (expected.layer >= 0 && expected.shape.size() == 2 && is_frozen) {
      bytes += 2 * expected.shape[0] * expected.shape[1];
    }
  }
  return bytes;
}

}  // namespace

TrainingMemory training_memory(const ModelConfig& config,
                               const TrainableSet& set,
                               const StepShape& step) {
  return training_memory(
      config,
      {.dtype = step.compute,
       .tokens = step.tokens,
       .layers_in_graph = set.layers.empty() ? 0 : config.num_hidden_layers - set.layers.front(),
       .layers_with_inputs = std::ssize(set.layers),
       .is_recomputed = step.is_recomputed,
       .trained_parameters = trained_parameters(set, config),
       .trains_embeddings = set.has_all,
       .adapter_activations = set.lora ? set.lora->rank * std::ssize(set.lora->targets) : 0,
       .int8_weights = step.has_int8_frozen ? int8_bytes(config, set) : 0});
}

}  // namespace slayer
