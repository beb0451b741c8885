#pragma once

#include <ATen/core/Tensor.h>

namespace slayer {

/// A frozen weight for products on 8-bit integers, forward and back: a scale for each row of the
/// matrix that is multiplied (127 is its largest magnitude), each token of the other side scaled by
/// its own largest magnitude as it comes. Its float32 original is not needed beside it.
/// Source: Dettmers et al. 2022, arXiv 2208.07339, section 2 (vector-wise quantization).
struct Int8Weight {
  at::Tensor forward, forward_scales;    ///< Of W: oneDNN's packing, [out] float32.
  at::Tensor backward, backward_scales;  ///< Of W^T: oneDNN's packing, [in] float32.

  bool defined() const { return forward.defined(); }
};

/// Whether this libtorch has the products.
bool has_int8_linear();

/// @param weight [out, in] float32, on the CPU.
Int8Weight quantize_weight(const at::Tensor& weight);

/// x W^T + b in float32, up to rounding each factor to 8 bits; differentiable in x.
/// @param x [..., in] float32; `bias` [out] or undefined.
at::Tensor apply_linear(const at::Tensor& x, const Int8Weight& weight, const at::Tensor& bias = {});

}  // namespace slayer
