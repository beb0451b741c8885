#pragma once

#include <ATen/core/Tensor.h>

#include "slayer/model/int8_linear.h"

namespace slayer {

/// The loss of a batch and its gradient at the final hidden states.
struct HeadLoss {
  double loss_sum = 0.0;       ///< Cross entropy over all targets, in nats.
  at::Tensor hidden_gradient;  ///< [tokens, hidden], of loss_sum * scale; in hidden's dtype.
};

/// Next-token cross entropy through the head. Forward and backward in one pass over chunks of
/// rows, so that the full logits never exist: for chunk C with probabilities P and one-hot targets
/// Y, the gradient is scale * (P - Y) W. Rows without a target cost nothing.
/// @param hidden      [tokens, hidden], after the final norm.
/// @param lm_head     [vocab, hidden]
/// @param target_ids  [tokens] int64, kNoTarget where there is none.
/// @param head_gradient  [vocab, hidden] float32 to which the head's gradient is added; undefined
///                       where the head is frozen, which saves a product as large as the forward's.
/// @param int8_head   lm_head for the logits, or undefined tensors: then they are of lm_head. The
///                    gradient is of lm_head in any case: next to a token that is nearly certain,
///                    thousands of small probabilities would be lost in 8 bits.
/// Source: Hsu et al. 2024, arXiv 2410.10989, section 3.2 (fused linear cross entropy).
HeadLoss head_loss(const at::Tensor& hidden,
                   const at::Tensor& lm_head,
                   const at::Tensor& target_ids,
                   double scale,
                   const at::Tensor& head_gradient = {},
                   const Int8Matrix& int8_head = {});

}  // namespace slayer
