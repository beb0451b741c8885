#pragma once

#include <ATen/core/Tensor.h>

namespace slayer {

/// a b + bias, as at::mm and at::addmm. For bfloat16 and float16 libtorch has plain loops where
/// oneDNN has no products of them for the processor, 8 times and more slower than float32's; there
/// the elements, which are exact in float32, are multiplied as such and the sums are rounded once.
/// Records no graph.
/// @param a [rows, inner]
/// @param b [inner, columns], of the same dtype; `bias` [columns] or undefined.
at::Tensor matrix_product(const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias = {});

/// a b + bias in float32 whatever their elements are, rounded to `type` at the end.
at::Tensor matrix_product_in_float32(const at::Tensor& a,
                                     const at::Tensor& b,
                                     at::ScalarType type,
                                     const at::Tensor& bias = {});

}  // namespace slayer
