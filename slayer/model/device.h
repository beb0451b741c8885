#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "slayer/core/dtype.h"

namespace slayer {

/// --device: "cpu", "cuda" or "cuda:1".
/// @throws Error for another word, and for a GPU that this libtorch does not see.
at::Device device_from_name(const std::string& name);

/// --dtype: "float32", "bfloat16" or "float16".
/// @throws Error for another word.
at::ScalarType scalar_type_from_name(const std::string& name);

/// The same element type in the words of a checkpoint; `type` must be one of the three above.
Dtype dtype_of(at::ScalarType type);

}  // namespace slayer
