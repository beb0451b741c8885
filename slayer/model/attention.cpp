#include "slayer/model/attention.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "slayer/model/cached_attention.h"
#include "slayer/model/causal_attention.h"
#include "slayer/model/elements.h"

namespace slayer {
namespace {

at::Tensor attend_at_once(const at::Tensor& query,
                          const at::Tensor& key,
                          const at::Tensor& value,
                          const at::Tensor& bias,
                          bool is_causal) {
  return at::scaled_dot_product_attention(query,
                                          key,
                                          value,
                                          bias.defined() ? std::optional(bias) : std::nullopt,
                                          /*dropout_p=*/0.0,
                                          is_causal,
                                          /*scale=*/std::nullopt,
                                          /*enable_gqa=*/query.size(1) != key.size(1))
      .transpose(1, 2);
}

/// Whether the processor multiplies tiles of bfloat16 (AMX), as libtorch's attention does then.
bool has_tiles() {
#ifdef __x86_64__
  return __builtin_cpu_supports("amx-bf16") != 0;
#else
  return false;
#endif
}

/// [batch, heads, seq, head_dim] -> for each piece [1, heads, length, head_dim].
std::vector<at::Tensor> split_pieces(const at::Tensor& x, const std::vector<int64_t>& lengths) {
  return x.transpose(1, 2).flatten(0, 1).transpose(0, 1).unsqueeze(0).split_with_sizes(lengths,
                                                                                       /*dim=*/2);
}

}  // namespace

at::Tensor attend(const at::Tensor& query,
                  const at::Tensor& key,
                  const at::Tensor& value,
                  const AttentionMask& mask) {
  if (query.is_meta()) {  // Its shape-only form leans on kernels that exist in Python alone.
    return at::empty_like(query).transpose(1, 2);
  }
  if (has_kernel(query) && (mask.is_causal || !mask.pieces.empty()) &&
      (query.scalar_type() == at::kFloat || !has_tiles())) {
    const std::vector<int64_t> whole_rows(static_cast<size_t>(query.size(0)), query.size(2));
    return causal_attention(query.transpose(1, 2),
                            key.transpose(1, 2),
                            value.transpose(1, 2),
                            mask.pieces.empty() ? whole_rows : mask.pieces);
  }
  if (query.is_cpu() && query.scalar_type() == at::kFloat) {
    constexpr int64_t kFewRows = 8;  // Of a key head's scores; for more, products are quicker.
    const int64_t rows = query.size(1) / key.size(1) * query.size(2);
    if (rows <= kFewRows && !at::GradMode::is_enabled()) {
      return cached_attention(query, key, value, mask.bias);
    }
  }
  if (mask.pieces.empty()) {
    return attend_at_once(query, key, value, mask.bias, mask.is_causal);
  }
  const std::vector<at::Tensor> queries = split_pieces(query, mask.pieces);
  const std::vector<at::Tensor> keys = split_pieces(key, mask.pieces);
  const std::vector<at::Tensor> values = split_pieces(value, mask.pieces);
  std::vector<at::Tensor> mixed;
  mixed.reserve(mask.pieces.size());
  for (size_t piece = 0; piece < mask.pieces.size(); ++piece) {
    mixed.push_back(
        attend_at_once(queries[piece], keys[piece], values[piece], {}, /*is_causal=*/true));
  }
  return at::cat(mixed, /*dim=*/1).view({query.size(0), query.size(2), query.size(1), -1});
}

}  // namespace slayer
