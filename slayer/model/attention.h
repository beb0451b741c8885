#pragma once

#include <ATen/core/Tensor.h>

#include "slayer/model/attention_mask.h"

namespace slayer {

/// Scaled dot-product attention; of a row's pieces, only the blocks that the mask leaves are
/// computed.
/// @param query [batch, heads, seq, head_dim]; `key` and `value` [batch, kv_heads, keys, head_dim].
/// @return [batch, seq, heads, head_dim].
at::Tensor attend(const at::Tensor& query,
                  const at::Tensor& key,
                  const at::Tensor& value,
                  const AttentionMask& mask);

}  // namespace slayer
