#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "slayer/model/causal_lm.h"
#include "slayer/train/lora.h"

namespace slayer {

/// Which of a model's parameters train.
struct TrainableSet {
  std::vector<int64_t> layers = {};  ///< Ascending, without repetition, at least one.
  bool has_all = false;              ///< Embeddings, final norm and head train with them.
  /// Adapters beside these layers' linear layers train, and nothing else.
  std::optional<LoraOptions> lora = {};
};

/// How many parameters train in a model of this config.
int64_t trained_parameters(const TrainableSet& set, const ModelConfig& config);

/// One parameter that trains. What the optimizer works on is float32 whatever the model computes
/// in: with bfloat16, steps below 1/256 of a weight would be lost.
struct TrainableParameter {
  std::string name;       ///< Hugging Face's; of an adapter PEFT's, without its prefix.
  at::Tensor model;       ///< The model's own tensor, a leaf that requires a gradient.
  at::Tensor master;      ///< float32; `model` itself where that is float32.
  at::Tensor gradient;    ///< float32, summed over a batch.
  int64_t layer = -1;     ///< -1 outside the layers.
  double lr_scale = 1.0;  ///< Factor on the schedule's learning rate.
};

/// Makes the set of `model` trainable and everything else not: its tensors become leaves of their
/// own, no longer shared with a mapped checkpoint. Adapters are made as PEFT makes them: B is zero
/// and A uniform in +-1/sqrt(in) (kaiming_uniform with a = sqrt(5)), drawn from `seed`.
std::vector<TrainableParameter> make_trainable(CausalLM& model,
                                               const TrainableSet& set,
                                               uint64_t seed);

/// The model with the weights of its frozen linear layers as 8-bit integers too; it shares all
/// tensors with `model`, whose trainable ones must have been made so before. float32 on the CPU.
CausalLM with_int8_frozen(const CausalLM& model);

/// The weight of a linear layer with its adapter's part added: W + scale * B A, in float32.
/// @param weight [out, in]; `a` [rank, in] and `b` [out, rank] float32.
at::Tensor merged_weight(const at::Tensor& weight,
                         const at::Tensor& a,
                         const at::Tensor& b,
                         double scale);

/// Adds to `gradient` what was left on the model's tensors beside autograd: tied embeddings' other
/// gradient.
void collect_gradients(const std::vector<TrainableParameter>& parameters);

/// Makes all gradients zero, before the next batch.
void clear_gradients(const std::vector<TrainableParameter>& parameters);

/// Makes the model's tensors what the master weights say.
void update_model(const std::vector<TrainableParameter>& parameters);

/// Euclidean norm over all gradients.
double gradient_norm(const std::vector<TrainableParameter>& parameters);

}  // namespace slayer
