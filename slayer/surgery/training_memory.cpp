#include "slayer/surgery/training_memory.h"

#include <algorithm>

#include "slayer/checkpoint/family.h"

namespace slayer {
namespace {

constexpr int64_t kFloat32Bytes = 4;

/// Elements that autograd keeps of one layer for each token.
int64_t kept_elements(const ModelConfig& config) {
  const int64_t query = config.num_attention_heads * config.head_dim;
  const int64_t key_value = config.num_key_value_heads * config.head_dim;
  const int64_t repeated = query == key_value ? 0 : 2 * query;  // Keys and values for each head.
  // Both norms' inputs, attention's four tensors, gate and up.
  return 2 * config.hidden_size + 2 * query + 2 * key_value + repeated +
         2 * config.intermediate_size;
}

/// The same of the linear layers' inputs.
int64_t input_elements(const ModelConfig& config) {
  return 2 * config.hidden_size + config.num_attention_heads * config.head_dim +
         config.intermediate_size;
}

int64_t activation_bytes(const ModelConfig& config, const TrainingShape& shape) {
  const int64_t of_layer = kept_elements(config);
  // A layer's backward pass: gradients of the MLP's three and of what flows between the layers.
  const int64_t buffers = 4 * config.intermediate_size + 8 * config.hidden_size;
  const int64_t kept =
      shape.is_recomputed
          ? config.hidden_size * shape.layers_in_graph + of_layer + input_elements(config)
          : of_layer * shape.layers_in_graph + input_elements(config) * shape.layers_with_inputs;
  const int64_t layers_of_adapters = shape.is_recomputed ? 1 : shape.layers_in_graph;
  return shape.tokens * ((kept + buffers) * size_in_bytes(shape.dtype) +
                         shape.adapter_activations * layers_of_adapters * kFloat32Bytes);
}

}  // namespace

TrainingMemory training_memory(const ModelConfig& config, const TrainingShape& shape) {
  constexpr int64_t kProgram = 200'000'000;  // With libtorch.
  const int64_t width = size_in_bytes(shape.dtype);
  const int64_t trained = shape.trained_parameters * kFloat32Bytes;
  const int64_t embeddings = config.vocab_size * config.hidden_size;
  // Weights that train are the model's own where it computes in float32.
  const bool has_own_floats = shape.adapter_activations > 0 || width < kFloat32Bytes;
  TrainingMemory memory{.weights = parameter_count(config) * width +
                                   (has_own_floats ? trained : 0) + shape.int8_weights,
                        .gradients = trained,
                        .optimizer = 2 * trained};
  if (shape.trains_embeddings) {  // The head's and the embedding's, before they are added up.
    memory.gradients += embeddings * (kFloat32Bytes + width);
  }
  if (shape.layers_in_graph > 0) {
    memory.activations = activation_bytes(config, shape);
    memory.program = kProgram + embeddings * width;
  }
  return memory;
}

TrainingMemory training_memory(const Plan& plan,
                               const ModelConfig& source,
                               Dtype dtype,
                               int64_t batch_size,
                               int64_t sequence_length) {
  const auto lowest_trained = std::ranges::find_if(plan.layers, &PlannedLayer::train);
  const auto trained = std::ranges::count_if(plan.layers, &PlannedLayer::train);
  return training_memory(with_layers(source, layer_origins(plan)),
                         {.dtype = dtype,
                          .tokens = batch_size * sequence_length,
                          .layers_in_graph = plan.layers.end() - lowest_trained,
                          .layers_with_inputs = trained,
                          .trained_parameters = trained * parameters_per_layer(source)});
}

}  // namespace slayer
