#pragma once

#include <ATen/core/Tensor.h>

namespace slayer {

/// a b + bias, as at::mm and at::addmm. Where the processor has no products of bfloat16 or float16,
/// libtorch takes 8 to 100 times as long for them as for float32; there the elements, which are
/// exact in float32, are multiplied as such and the sums are rounded once. Records no graph.
/// @param a [rows, inner]
/// @param b [inner, columns], of the same dtype; `bias` [columns] or undefined.
at::Tensor matrix_product(const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias = {});

}  // namespace slayer
