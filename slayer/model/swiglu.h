#pragma once

#include <ATen/core/Tensor.h>

namespace slayer {

/// silu(gate) * up, where silu(x) = x / (1 + exp(-x)). One pass forward and one back where both are
/// on the CPU. Source: Shazeer 2020, arXiv 2002.05202.
/// @param gate,up of one shape.
at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up);

}  // namespace slayer
