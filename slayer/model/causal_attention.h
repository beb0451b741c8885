#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace slayer {

/// Causal attention in blocks of queries, each with the keys up to its last one only: half of the
/// products of a full square, and no more of the scores in memory than the processor's cache holds.
/// The backward pass computes a block's probabilities again from the rows' log-sum-exp, as
/// FlashAttention does (arXiv 2205.14135). In float32, on the CPU; bfloat16 is rounded to once.
/// @param query [batch, seq, heads, head_dim]; `key` and `value` [batch, seq, kv_heads, head_dim].
/// @param pieces lengths of the sequences, which add up to batch * seq; each attends to itself
/// only.
/// @return [batch, seq, heads, head_dim].
at::Tensor causal_attention(const at::Tensor& query,
                            const at::Tensor& key,
                            const at::Tensor& value,
                            const std::vector<int64_t>& pieces);

}  // namespace slayer
