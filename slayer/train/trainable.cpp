#include "slayer/train/trainable.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>

#include "slayer/checkpoint/family.h"

namespace slayer {

std::vector<TrainableParameter> make_trainable(CausalLM& model,
                                               const std::vector<int64_t>& layers) {
  std::vector<TrainableParameter> parameters;
  for (const ExpectedTensor& expected : expected_tensors(model.config)) {
    if (!std::ranges::binary_search(layers, expected.layer)) {
      continue;
    }
    at::Tensor& tensor = tensor_of(model, expected);
    tensor = tensor.clone();
    const at::Tensor master = tensor.scalar_type() == at::kFloat ? tensor : tensor.to(at::kFloat);
    tensor.requires_grad_();
    parameters.push_back(
        {.name = expected.name, .model = tensor, .master = master, .gradient = {}});
  }
  return parameters;
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
