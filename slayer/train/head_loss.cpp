#include "slayer/train/head_loss.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "slayer/data/packing.h"
#include "slayer/model/matrix_product.h"

namespace slayer {
namespace {

/// Logits of one chunk; large enough for the product to run at full speed.
constexpr int64_t kChunkBytes = int64_t{32} << 20U;

/// Turns logits into the gradient of scale * loss, in place.
/// @return the rows' losses, added up.
double logits_to_gradient(at::Tensor& logits, const at::Tensor& targets, double scale) {
  const at::Tensor index = targets.unsqueeze(1);
  const at::Tensor of_targets = logits.gather(1, index);
  const at::Tensor largest = logits.amax(1, /*keepdim=*/true);
  const at::Tensor total = logits.sub_(largest).exp_().sum(1, /*keepdim=*/true);
  const at::Tensor losses = total.log().add_(largest).sub_(of_targets);
  logits.mul_(total.reciprocal_().mul_(scale));
  logits.scatter_add_(1, index, at::full_like(of_targets, -scale));
  return losses.sum(at::kDouble).item<double>();
}

}  // namespace

HeadLoss head_loss(const at::Tensor& hidden,
                   const at::Tensor& lm_head,
                   const at::Tensor& target_ids,
                   double scale,
                   const at::Tensor& head_gradient,
                   const Int8Matrix& int8_head) {
  const at::NoGradGuard no_grad;
  HeadLoss result{.hidden_gradient = at::zeros_like(hidden)};
  const at::Tensor rows = target_ids.ne(kNoTarget).nonzero().squeeze(1);
  const int64_t chunk =
      std::max<int64_t>(kChunkBytes / (lm_head.size(0) * int64_t{sizeof(float)}), 1);
  for (int64_t begin = 0; begin < rows.size(0); begin += chunk) {
    const at::Tensor index = rows.slice(0, begin, std::min(begin + chunk, rows.size(0)));
    const at::Tensor states = hidden.index_select(0, index);
    at::Tensor logits = int8_head.values.defined()
                            ? multiply_int8(states, int8_head)
                            : matrix_product(states, lm_head.t()).to(at::kFloat);
    result.loss_sum += logits_to_gradient(logits, target_ids.index_select(0, index), scale);
    if (head_gradient.defined()) {
      at::Tensor(head_gradient).addmm_(logits.t(), states.to(at::kFloat));
    }
    result.hidden_gradient.index_copy_(
        0, index, matrix_product(logits.to(lm_head.dtype()), lm_head));
  }
  return result;
}

}  // namespace slayer
