#pragma once

#include <ATen/core/Tensor.h>

namespace slayer {

/// Attention of few queries to many keys, as each step of a generation needs it: keys and values
/// are read once for all queries that share them. float32 on the CPU, without a backward pass.
/// @param query [batch, heads, seq, head_dim]; `key` and `value` [batch, kv_heads, keys, head_dim],
///              the last two dimensions without gaps.
/// @param bias  [batch or 1, 1, seq, keys], added to the scores, or undefined.
/// @return [batch, seq, heads, head_dim].
at::Tensor cached_attention(const at::Tensor& query,
                            const at::Tensor& key,
                            const at::Tensor& value,
                            const at::Tensor& bias);

}  // namespace slayer
