#include "slayer/train/gradients.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "slayer/train/head_loss.h"

namespace slayer {
namespace {

/// Tied embeddings have a gradient by now that came through their other use.
void add_gradient(const at::Tensor& parameter, const at::Tensor& gradient) {
  at::Tensor& present = parameter.mutable_grad();
  present = present.defined() ? present.to(at::kFloat).add_(gradient) : gradient;
}

/// The head's loss, and its gradient back to where `normed`'s graph begins. @return the loss.
double backward_from_head(const CausalLM& model,
                          const at::Tensor& normed,
                          const Batch& batch,
                          double scale,
                          at::Tensor& head_gradient) {
  if (model.lm_head.requires_grad()) {
    head_gradient = at::zeros(model.lm_head.sizes(), model.lm_head.options().dtype(at::kFloat));
  }
  const at::Tensor hidden = normed.flatten(0, 1);
  const HeadLoss loss = head_loss(hidden.detach(),
                                  model.lm_head.detach(),
                                  batch.target_ids.flatten(),
                                  scale,
                                  head_gradient,
                                  model.int8_lm_head);
  if (hidden.requires_grad()) {
    hidden.backward(loss.hidden_gradient);
  }
  return loss.loss_sum;
}

bool trains(const DecoderLayer& layer) {
  return !layer.adapters.empty() || std::ranges::any_of(kLayerRoles, [&](TensorRole role) {
    const at::Tensor& tensor = tensor_of(layer, role);
    return tensor.defined() && tensor.requires_grad();
  });
}

/// The lowest layer that must be run backward; the number of layers where none must.
int64_t first_trained_layer(const CausalLM& model) {
  return model.embed_tokens.requires_grad()
             ? 0
             : std::ranges::find_if(model.layers, trains) - model.layers.begin();
}

/// The inputs of layers [first, end), and the last one's output behind them, without a graph.
std::vector<at::Tensor> layer_inputs(const CausalLM& model,
                                     const Batch& batch,
                                     int64_t first,
                                     const ForwardPass& pass) {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> inputs;
  inputs.push_back(run_layers(model, embed(model, batch.input_ids), 0, first, pass));
  for (int64_t layer = first; layer < std::ssize(model.layers); ++layer) {
    inputs.push_back(run_layers(model, inputs.back(), layer, layer + 1, pass));
  }
  return inputs;
}

double accumulate_recomputing(const CausalLM& model,
                              const Batch& batch,
                              double scale,
                              at::Tensor& head_gradient) {
  const ForwardPass pass = begin_pass(model, batch.input_ids, batch.layout);
  const int64_t first = first_trained_layer(model);
  std::vector<at::Tensor> inputs = layer_inputs(model, batch, first, pass);
  at::Tensor leaf = inputs.back().detach().requires_grad_();
  inputs.pop_back();
  const double loss =
      backward_from_head(model, final_norm(model, leaf), batch, scale, head_gradient);
  at::Tensor gradient = leaf.grad();
  for (int64_t layer = std::ssize(model.layers) - 1; layer >= first; --layer) {
    const bool goes_on = layer > first || model.embed_tokens.requires_grad();
    leaf = inputs.back().detach().requires_grad_(goes_on);
    inputs.pop_back();
    run_layers(model, leaf, layer, layer + 1, pass).backward(gradient);
    gradient = leaf.grad();
  }
  if (model.embed_tokens.requires_grad()) {
    embed(model, batch.input_ids).backward(gradient);
  }
  return loss;
}

}  // namespace

double accumulate_gradients(const CausalLM& model,
                            const Batch& batch,
                            double scale,
                            Activations activations) {
  at::Tensor head_gradient;
  const double loss = activations == Activations::kRecomputed
                          ? accumulate_recomputing(model, batch, scale, head_gradient)
                          : backward_from_head(model,
                                               forward_hidden(model, batch.input_ids, batch.layout),
                                               batch,
                                               scale,
                                               head_gradient);
  if (head_gradient.defined()) {
    add_gradient(model.lm_head, head_gradient);
  }
  return loss;
}

}  // namespace slayer
