#include "slayer/train/trainable.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

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

/// Moves a tensor's gradient into a float32 one as soon as autograd has it.
class CollectGradient final : public torch::autograd::PostAccumulateGradHook {
 public:
  explicit CollectGradient(at::Tensor gradient) : gradient_(std::move(gradient)) {}

  void operator()(const at::Tensor& tensor) override {
    gradient_.add_(tensor.mutable_grad());
    tensor.mutable_grad().reset();
  }

 private:
  at::Tensor gradient_;
};

/// Makes a leaf of the tensor, with a float32 master and a gradient that stays where it is. Were
/// there fresh ones in each step, small among what a step frees, they would leave no hole whole,
/// and let the memory grow to twice what is used.
TrainableParameter parameter_of(const std::string& name, int64_t layer, at::Tensor& tensor) {
  const at::Tensor gradient = at::zeros_like(tensor, at::kFloat);
  const bool is_own_master = tensor.scalar_type() == at::kFloat;
  const at::Tensor master = is_own_master ? tensor : tensor.detach().to(at::kFloat);
  tensor.requires_grad_();
  if (is_own_master) {
    tensor.mutable_grad() = gradient;  // Autograd adds to it in place.
  } else {
    torch::autograd::impl::set_post_acc_grad_hooks(tensor,
                                                   std::make_unique<CollectGradient>(gradient));
  }
  return {.name = name, .model = tensor, .master = master, .gradient = gradient, .layer = layer};
}

/// Adds adapters to the model, A before B, in the order of the model's tensors.
std::vector<TrainableParameter> add_adapters(CausalLM& model,
                                             const TrainableSet& set,
                                             const LoraOptions& lora,
                                             uint64_t seed) {
  at::Generator random = at::detail::createCPUGenerator(seed);
  const at::TensorOptions options = at::TensorOptions(at::kFloat).device(model.device());
  std::vector<TrainableParameter> parameters;
  for (const ExpectedTensor& expected : expected_tensors(model.config)) {
    if (!trains(set, expected) || !is_target(lora, expected.role)) {
      continue;
    }
    const int64_t out = expected.shape[0];
    const int64_t in = expected.shape[1];
    const double bound = 1.0 / std::sqrt(static_cast<double>(in));
    LowRankAdapter& adapter =
        model.layers[static_cast<size_t>(expected.layer)].adapters[expected.role];
    adapter.a = at::empty({lora.rank, in}, at::kFloat).uniform_(-bound, bound, random);
    adapter.a = adapter.a.to(model.device());
    adapter.b = at::zeros({out, lora.rank}, options);
    adapter.scale = lora.scale();
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
    return add_adapters(model, set, *set.lora, seed);
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

void collect_gradients(const std::vector<TrainableParameter>& parameters) {
  for (const TrainableParameter& parameter : parameters) {
    at::Tensor& fresh = parameter.model.mutable_grad();
    if (fresh.defined() && !fresh.is_same(parameter.gradient)) {
      parameter.gradient.add_(fresh);
      fresh.reset();
    }
  }
}

void clear_gradients(const std::vector<TrainableParameter>& parameters) {
  for (const TrainableParameter& parameter : parameters) {
    parameter.gradient.zero_();
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
    const auto norm = at::linalg_vector_norm(parameter.gradient).item<double>();
    squares += norm * norm;
  }
  return std::sqrt(squares);
}

}  // namespace slayer
