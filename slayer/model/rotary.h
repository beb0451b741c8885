#pragma once

#include <ATen/core/Tensor.h>

#include "slayer/checkpoint/config.h"

namespace slayer {

/// Cosines and sines of the rotation angles: [batch or 1, seq, 1, head_dim / 2], in the model's
/// dtype.
struct RotaryTable {
  at::Tensor cos, sin;
};

/// Rotation per position of each pair of a head's components: [head_dim / 2] float32, on the CPU.
/// Source: transformers modeling_rope_utils.py ("default", "linear" and "llama3"), whose order of
/// operations is kept, for the same bits.
at::Tensor inverse_frequencies(const ModelConfig& config);

/// @param position_ids [batch or 1, seq] int64, on the model's device.
/// Angles are computed in float32: at position 30,000, bfloat16 could not tell neighbours apart.
RotaryTable rotary_table(const ModelConfig& config,
                         const at::Tensor& position_ids,
                         at::ScalarType dtype);

/// Rotates components i and i + head_dim / 2 of each head together (Hugging Face's layout).
/// One pass forward and one back where x is on the CPU.
/// @param x [batch, seq, heads, head_dim]
/// Source: Su et al. 2021, arXiv 2104.09864; transformers apply_rotary_pos_emb.
at::Tensor apply_rotary(const at::Tensor& x, const RotaryTable& table);

}  // namespace slayer
