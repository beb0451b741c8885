#include "slayer/surgery/summary.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <set>
#include <vector>

#include "slayer/checkpoint/family.h"

namespace slayer {
namespace {

constexpr int64_t kFloat32Bytes = 4;

/// Source layers that no target layer stands for.
std::set<int64_t> gone_layers(const Plan& plan) {
  std::set<int64_t> gone;
  for (int64_t source_layer = 0; source_layer < plan.source_layers; ++source_layer) {
    gone.insert(source_layer);
  }
  const std::vector<bool> is_new = new_layers(plan);
  for (size_t target_layer = 0; target_layer < plan.layers.size(); ++target_layer) {
    if (!is_new[target_layer]) {
      gone.erase(plan.layers[target_layer].from.front());
    }
  }
  return gone;
}

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

/// One line of the table for the layers [begin, end), all plain copies of neighbours when several.
std::string table_line(
    const Plan& plan, bool is_new, std::string origin, size_t begin, size_t end) {
  std::string numbers = fmt::format("{}", begin);
  const PlannedLayer& first = plan.layers[begin];
  if (end - begin > 1) {
    const int64_t last_source = plan.layers[end - 1].from.front();
    numbers += fmt::format("-{}", end - 1);
    origin = fmt::format("copied {}-{}{}", first.from.front(), last_source, is_new ? " again" : "");
  }
  return fmt::format(
      "{:>9} {}  {}{}\n", numbers, is_new ? '+' : ' ', origin, first.train ? ", trained" : "");
}

}  // namespace

PlanSummary summarize(const Plan& plan, const ModelConfig& source, Dtype dtype) {
  const ModelConfig config = with_layers(source, layer_origins(plan));
  const std::vector<bool> is_new = new_layers(plan);
  const auto trained = std::ranges::count_if(plan.layers, &PlannedLayer::train);
  PlanSummary summary{.layers = config.num_hidden_layers,
                      .new_layers = std::ranges::count(is_new, true),
                      .trained_layers = trained,
                      .parameters = parameter_count(config),
                      .trained_parameters = trained * parameters_per_layer(config)};
  summary.bytes_on_disk = summary.parameters * size_in_bytes(dtype);
  return summary;
}

int64_t activation_bytes(const ModelConfig& config, Dtype dtype, const StepShape& step) {
  const int64_t of_layer = kept_elements(config);
  // A layer's backward pass: gradients of the MLP's three and of what flows between the layers.
  const int64_t buffers = 4 * config.intermediate_size + 8 * config.hidden_size;
  const int64_t kept =
      step.is_recomputed
          ? config.hidden_size * step.layers_in_graph + of_layer + input_elements(config)
          : of_layer * step.layers_in_graph + input_elements(config) * step.layers_with_inputs;
  return step.tokens * (kept + buffers) * size_in_bytes(dtype);
}

int64_t program_bytes(const ModelConfig& config, Dtype dtype) {
  constexpr int64_t kLibraries = 200'000'000;
  return kLibraries + config.vocab_size * config.hidden_size * size_in_bytes(dtype);
}

TrainingMemory estimate_training_memory(const Plan& plan,
                                        const ModelConfig& source,
                                        Dtype dtype,
                                        int64_t batch_size,
                                        int64_t sequence_length) {
  const PlanSummary summary = summarize(plan, source, dtype);
  const auto lowest_trained = std::ranges::find_if(plan.layers, &PlannedLayer::train);
  const int64_t layers_in_graph = plan.layers.end() - lowest_trained;
  const int64_t frozen_parameters = summary.parameters - summary.trained_parameters;
  TrainingMemory memory{.weights = frozen_parameters * size_in_bytes(dtype) +
                                   summary.trained_parameters * kFloat32Bytes,
                        .gradients = summary.trained_parameters * kFloat32Bytes,
                        .optimizer = 2 * summary.trained_parameters * kFloat32Bytes};
  if (layers_in_graph > 0) {
    memory.activations = activation_bytes(source,
                                          dtype,
                                          {.tokens = batch_size * sequence_length,
                                           .layers_in_graph = layers_in_graph,
                                           .layers_with_inputs = summary.trained_layers});
    memory.program = program_bytes(source, dtype);
  }
  return memory;
}

std::string sketch_layers(const Plan& plan) {
  const std::vector<bool> is_new = new_layers(plan);
  std::set<int64_t> gone = gone_layers(plan);
  std::string sketch;
  const auto show_gone_before = [&](int64_t source_layer) {
    while (!gone.empty() && *gone.begin() < source_layer) {
      sketch += 'x';
      gone.erase(gone.begin());
    }
  };
  for (size_t target_layer = 0; target_layer < plan.layers.size(); ++target_layer) {
    const PlannedLayer& layer = plan.layers[target_layer];
    if (is_new[target_layer]) {
      sketch += '+';
    } else {
      show_gone_before(layer.from.front());
      sketch += layer.train ? '*' : '=';
    }
  }
  show_gone_before(plan.source_layers);
  return sketch;
}

std::string tabulate_layers(const Plan& plan) {
  const std::vector<bool> is_new = new_layers(plan);
  const std::vector<std::string> descriptions = describe_layers(plan);
  const auto continues = [&](size_t target_layer) {
    const PlannedLayer& before = plan.layers[target_layer - 1];
    const PlannedLayer& layer = plan.layers[target_layer];
    return before.is_plain_copy() && layer.is_plain_copy() && before.train == layer.train &&
           is_new[target_layer - 1] == is_new[target_layer] &&
           before.from.front() + 1 == layer.from.front();
  };
  std::string table;
  for (size_t begin = 0; begin < plan.layers.size();) {
    size_t end = begin + 1;
    while (end < plan.layers.size() && continues(end)) {
      ++end;
    }
    table += table_line(plan, is_new[begin], descriptions[begin], begin, end);
    begin = end;
  }
  if (const std::set<int64_t> gone = gone_layers(plan); !gone.empty()) {
    table += fmt::format("{:>9} x  gone: {}\n", "", fmt::join(gone, ", "));
  }
  return table;
}

}  // namespace slayer
