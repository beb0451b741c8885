#pragma once

#include <ATen/core/Tensor.h>

namespace slayer {

/// A low-rank addition to a linear layer: scale * B (A x) is added to its output.
/// Source: Hu et al. 2021, arXiv 2106.09685 (LoRA).
struct LowRankAdapter {
  at::Tensor a;  ///< [rank, in] float32, also in a model of another dtype.
  at::Tensor b;  ///< [out, rank] float32
  double scale = 1.0;
};

/// Adds the adapter's part for `x` [..., in] to `output` [..., out], in place. Computes in float32;
/// keeps x for the backward pass as it is, where autograd would keep a float32 copy of it.
void add_adapter(at::Tensor& output, const at::Tensor& x, const LowRankAdapter& adapter);

}  // namespace slayer
