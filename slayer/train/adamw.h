#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "slayer/train/options.h"
#include "slayer/train/trainable.h"

namespace slayer {

/// Adam with decoupled weight decay over float32 master weights, one fused pass per parameter.
/// Source: Loshchilov and Hutter 2019, arXiv 1711.05101; torch.optim.AdamW.
class AdamW final {
 public:
  AdamW(const std::vector<TrainableParameter>& parameters, const AdamWOptions& options);

  /// One step with the parameters' gradients divided by `gradient_divisor`, at `lr` times each
  /// parameter's own factor.
  void step(std::vector<TrainableParameter>& parameters, double lr, double gradient_divisor);

  /// Moments of each parameter, in the parameters' order, and the number of steps taken; to save
  /// and restore.
  const std::vector<at::Tensor>& first_moments() const { return first_moments_; }
  const std::vector<at::Tensor>& second_moments() const { return second_moments_; }
  void set_steps_taken(int64_t steps);

 private:
  AdamWOptions options_;
  std::vector<at::Tensor> first_moments_;
  std::vector<at::Tensor> second_moments_;
  at::Tensor steps_taken_;  ///< float32 scalar, as the fused kernel wants it.
};

}  // namespace slayer
