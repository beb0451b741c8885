#include "slayer/train/gradients.h"

#include <ATen/ATen.h>

#include "slayer/train/head_loss.h"

namespace slayer {

double accumulate_gradients(const CausalLM& model, const Batch& batch, double scale) {
  const at::Tensor hidden = forward_hidden(model, batch.input_ids, batch.layout).flatten(0, 1);
  const HeadLoss loss =
      head_loss(hidden.detach(), model.lm_head, batch.target_ids.flatten(), scale);
  hidden.backward(loss.hidden_gradient);
  return loss.loss_sum;
}

}  // namespace slayer
