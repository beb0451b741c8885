#include "slayer/train/adamw.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

namespace slayer {

AdamW::AdamW(const std::vector<TrainableParameter>& parameters, const AdamWOptions& options)
    : options_(options) {
  for (const TrainableParameter& parameter : parameters) {
    const auto like = parameter.master.options().requires_grad(false);
    first_moments_.push_back(at::zeros(parameter.master.sizes(), like));
    second_moments_.push_back(at::zeros(parameter.master.sizes(), like));
    steps_taken_ = at::zeros({}, like);
  }
}

void AdamW::set_steps_taken(int64_t steps) { steps_taken_.fill_(static_cast<double>(steps)); }

void AdamW::step(std::vector<TrainableParameter>& parameters, double lr, double gradient_divisor) {
  const at::NoGradGuard no_grad;
  steps_taken_.add_(1);
  const at::Tensor divisor = at::full({}, gradient_divisor, steps_taken_.options());
  for (size_t i = 0; i < parameters.size(); ++i) {
    const TrainableParameter& parameter = parameters[i];
    const bool has_decay = parameter.master.dim() > 1;
    at::_fused_adamw_(parameter.master.detach(),
                      parameter.gradient,
                      first_moments_[i],
                      second_moments_[i],
                      /*max_exp_avg_sqs=*/{},
                      steps_taken_,
                      lr * parameter.lr_scale,
                      options_.beta1,
                      options_.beta2,
                      has_decay ? options_.weight_decay : 0.0,
                      options_.epsilon,
                      /*amsgrad=*/false,
                      /*maximize=*/false,
                      divisor);
  }
}

}  // namespace slayer
