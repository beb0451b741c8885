#pragma once

#include <cstdint>
#include <span>

#include "slayer/checkpoint/ggml_type.h"

namespace slayer {

/// Elements [begin, begin + values.size()) of a tensor's stored blocks as float32, bit for bit
/// what the reference implementation (gguf-py's quants.py) computes. `begin` and the length need
/// not fall on block borders. `stored` holds whole blocks from element 0 on and must reach past
/// the last element asked for.
void dequantize(GgmlType type,
                std::span<const std::byte> stored,
                int64_t begin,
                std::span<float> values);

/// Rounds float32 values to the stored form of F32, F16, BF16 or Q8_0, the types that export
/// writes. `values.size()` is a multiple of the type's block; `stored` is as long as its blocks.
void quantize(GgmlType type, std::span<const float> values, std::span<std::byte> stored);

}  // namespace slayer
