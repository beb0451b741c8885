#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "slayer/model/causal_lm.h"

namespace slayer {

/// One parameter that trains. What the optimizer works on is float32 whatever the model computes
/// in: with bfloat16, steps below 1/256 of a weight would be lost.
struct TrainableParameter {
  std::string name;     ///< Hugging Face's.
  at::Tensor model;     ///< The model's own tensor, a leaf that requires a gradient.
  at::Tensor master;    ///< float32; `model` itself where that is float32.
  at::Tensor gradient;  ///< float32, summed over a batch; undefined before the first.
};

/// Makes the layers of `model` trainable and everything else not: their tensors become leaves of
/// their own, no longer shared with a mapped checkpoint.
/// @param layers ascending, without repetition.
std::vector<TrainableParameter> make_trainable(CausalLM& model, const std::vector<int64_t>& layers);

/// Moves what autograd left on the model's tensors into `gradient`.
void collect_gradients(std::vector<TrainableParameter>& parameters);

/// Makes the model's tensors what the master weights say.
void update_model(const std::vector<TrainableParameter>& parameters);

/// Euclidean norm over all gradients.
double gradient_norm(const std::vector<TrainableParameter>& parameters);

}  // namespace slayer
