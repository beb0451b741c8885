#include "slayer/train/trainable.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>

#include "slayer/checkpoint/family.h"

namespace slayer {

namespace {

bool trains(const TrainableSet& set, const ExpectedTensor& expected) {
  return expected.layer < 0 ? set.has_all : std::ranges::binary_search(set.layers, expected.layer);
}

int64_t element_count(const ExpectedTensor& expected) {
  int64_t count = 1;
  for (const int64_t dimension : expected.shape) {
    count *= dimension;
  }
  return count;
}

/// Makes a leaf of the tensor, with a float32 master.
TrainableParameter parameter_of(const std::string& name, int64_t layer, at::Tensor& tensor) {
  tensor.requires_grad_();
  const at::Tensor master =
      tensor.scalar_type() == at::kFloat ? tensor : tensor.detach().to(at::kFloat);
  return {.name = name, .model = tensor, .master = master, .gradient = {}, .layer = layer};
}

/// Adds adapters to the model, A before B, in the order of the model's tensors.
std::vector<TrainableParameter> add_adapters(CausalLM& model,
                                             const TrainableSet& set,
                                             uint64_t seed) {
  at::Generator random = at::detail::createCPUGenerator(seed);
  const at::TensorOptions options = at::TensorOptions(at::kFloat).device(model.device());
  std::vector<TrainableParameter> parameters;
  for (const ExpectedTensor& expected : expected_tensors(model.config)) {
    if (!trains(set, expected) || !is_target(*set.lora, expected.role)) {
      continue;
    }
    const int64_t out = expected.shape[0];
    const int64_t in = expected.shape[1];
    const double bound = 1.0 / std::sqrt(static_cast<double>(in));
    LowRankAdapter& adapter =
        model.layers[static_cast<size_t>(expected.layer)].adapters[expected.role];
    adapter.a = at::empty({set.lora->rank, in}, at::kFloat).uniform_(-bound, bound, random);
    adapter.a = adapter.a.to(model.device());
    adapter.b = at::zeros({out, set.lora->rank}, options);
    adapter.scale = set.lora->scale();
    parameters.push_back(parameter_of(lora_a_name(expected.name), expected.layer, adapter.a));
    parameters.push_back(parameter_of(lora_b_name(expected.name), expected.layer, adapter.b));
  }
  return parameters;
}

}  // namespace

int64_t trained_parameters(const TrainableSet& set, const ModelConfig& config) {
  int64_t count = 0;
  for (const ExpectedTensor& expected : expected_tensors(config)) {
    if (!trains(set, expected)) {
      continue;
    }
    if (!set.lora) {
      count += element_count(expected);
    } else if (is_target(*set.lora, expected.role)) {
      count += set.lora->rank * (expected.shape[0] + expected.shape[1]);
    }
  }
  return count;
}

std::vector<TrainableParameter> make_trainable(CausalLM& model,
                                               const TrainableSet& set,
                                               uint64_t seed) {
  if (set.lora) {
    return add_adapters(model, set, seed);
  }
  std::vector<TrainableParameter> parameters;
  for (const ExpectedTensor& expected : expected_tensors(model.config)) {
    if (trains(set, expected)) {
      at::Tensor& tensor = tensor_of(model, expected);
      tensor = tensor.clone();
      parameters.push_back(parameter_of(expected.name, expected.layer, tensor));
    }
  }
  if (model.config.tie_word_embeddings) {
    model.lm_head = model.embed_tokens;
  }
  return parameters;
}

CausalLM with_int8_frozen(const CausalLM& model) {
  CausalLM result = model;
  for (const ExpectedTensor& expected : expected_tensors(model.config)) {
    const at::Tensor& weight = tensor_of(model, expected);
    if (expected.layer >= 0 && weight.dim() == 2 && !weight.requires_grad()) {
      result.layers[static_cast<size_t>(expected.layer)].int8_weights[expected.role] =
          quantize_weight(weight);
    }
  }
  if (!model.lm_head.requires_grad()) {
    result.int8_lm_head = quantize_matrix(model.lm_head);
  }
  return result;
}

at::Tensor merged_weight(const at::Tensor& weight,
                         const at::Tensor& a,
                         const at::Tensor& b,
                         double scale) {
  const at::NoGradGuard no_grad;
  return at::addmm(weight.to(at::kFloat), b, a, /*beta=*/1.0, /*alpha=*/scale);
}

void collect_gradients(std::vector<TrainableParameter>& parameters) {
  for (TrainableParameter& parameter : parameters) {
    at::Tensor& fresh = parameter.model.mutable_grad();
    if (!fresh.defined()) {
      continue;
    }
    if (parameter.gradient.defined()) {
      parameter.gradient.add_(fresh);
    } else {
      parameter.gradient = fresh.to(at::kFloat);
    }
    fresh.reset();
  }
}

void update_model(const std::vector<TrainableParameter>& parameters) {
  const at::NoGradGuard no_grad;
  for (const TrainableParameter& parameter : parameters) {
    if (!parameter.master.is_same(parameter.model)) {
      parameter.model.copy_(parameter.master);
    }
  }
}

double gradient_norm(const std::vector<TrainableParameter>& parameters) {
  double squares = 0.0;
  for (const TrainableParameter& parameter : parameters) {
    if (parameter.gradient.defined()) {
      const auto norm = at::linalg_vector_norm(parameter.gradient).item<double>();
      squares += norm * norm;
    }
  }
  return std::sqrt(squares);
}

}  // namespace slayer
