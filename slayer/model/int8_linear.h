#pragma once

#include <ATen/core/Tensor.h>

namespace slayer {

/// A matrix as 8-bit integers, symmetric, with a scale for each row: row i is about
/// scales[i] * values[i].
struct Int8Matrix {
  at::Tensor values;  ///< [rows, columns] int8
  at::Tensor scales;  ///< [rows] float32
};

/// The weight W [out, in] of a frozen linear layer as 8-bit integers, for both products with it:
/// each has the scales on its own outputs, where they can be multiplied in afterwards.
struct Int8Weight {
  Int8Matrix weight;      ///< W, a scale for each output channel: x W^T.
  Int8Matrix transposed;  ///< W^T, a scale for each input channel: dy W.

  bool defined() const { return weight.values.defined(); }
};

/// @param weight [out, in] float32 on the CPU.
Int8Weight quantize_weight(const at::Tensor& weight);

/// As Int8Weight::weight, for a product in this direction only.
Int8Matrix quantize_matrix(const at::Tensor& weight);

/// x W^T + b, as apply_linear, with the products forward and backward on 8-bit integers: each row
/// of x (a token) and of the gradient is rounded to 255 levels of a scale of its own, the sums are
/// exact, the result is float32. With the processor's dot products of bytes (AVX-512 VNNI) four
/// times as fast as float32; half the levels where it has none. A row with a number that is not
/// finite gives such a row.
/// Source: Dettmers et al. 2022, arXiv 2208.07339, section 3.1 (vector-wise quantization), without
/// its outlier columns.
/// @param x    [..., in] float32 on the CPU.
/// @param bias [out] or undefined; it must not require a gradient.
at::Tensor apply_int8_linear(const at::Tensor& x,
                             const Int8Weight& weight,
                             const at::Tensor& bias = {});

/// The forward product of apply_int8_linear alone, without a graph.
at::Tensor multiply_int8(const at::Tensor& x,
                         const Int8Matrix& weight,
                         const at::Tensor& bias = {});

}  // namespace slayer
