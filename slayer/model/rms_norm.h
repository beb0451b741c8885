#pragma once

#include <ATen/core/Tensor.h>

namespace slayer {

/// x / sqrt(mean(x^2) + epsilon) * weight over the last dimension, in float32, rounded once.
/// One pass forward and one back where x is on the CPU.
/// Source: Zhang and Sennrich 2019, arXiv 1910.07467.
/// @param x [..., size]; `weight` [size].
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon);

}  // namespace slayer
