#include "slayer/model/attention_mask.h"

#include <ATen/ATen.h>

#include <limits>

namespace slayer {
namespace {

/// [seq, keys] bool: query i is key (keys - seq + i) and sees what lies before it.
at::Tensor causal(int64_t seq, int64_t keys, at::Device device) {
  return at::ones({seq, keys}, at::TensorOptions(at::kBool).device(device)).tril(keys - seq);
}

AttentionMask from_bool(const at::Tensor& attended, at::ScalarType dtype) {
  const at::Tensor bias = at::zeros(attended.sizes(), attended.options().dtype(dtype));
  return {.bias =
              bias.masked_fill(attended.bitwise_not(), -std::numeric_limits<float>::infinity())};
}

}  // namespace

AttentionMasks::AttentionMasks(const BatchLayout& layout,
                               const at::Tensor& position_ids,
                               const at::Tensor& key_position_ids,
                               const std::vector<std::optional<int64_t>>& windows,
                               at::ScalarType dtype) {
  const int64_t seq = position_ids.size(1);
  const int64_t keys = key_position_ids.size(1);
  const bool is_one_sequence = !layout.mask.defined();
  if (!is_one_sequence) {
    full_ = from_bool(layout.mask, dtype);
  } else if (seq == keys) {
    full_.is_causal = true;
  } else if (seq > 1) {
    full_ = from_bool(causal(seq, keys, position_ids.device()).view({1, 1, seq, keys}), dtype);
  }
  for (const auto& window : windows) {
    // Positions of attended tokens have no gaps, so with no more keys than the window none is out.
    if (!window || keys <= *window || windowed_.contains(*window)) {
      continue;
    }
    const at::Tensor distance = position_ids.unsqueeze(-1) - key_position_ids.unsqueeze(-2);
    const at::Tensor is_near = (distance < *window).unsqueeze(1);
    const at::Tensor attended =
        is_one_sequence ? causal(seq, keys, position_ids.device()) : layout.mask;
    windowed_[*window] = from_bool(is_near.bitwise_and(attended), dtype);
  }
}

const AttentionMask& AttentionMasks::of(std::optional<int64_t> window) const {
  const auto found = window ? windowed_.find(*window) : windowed_.end();
  return found == windowed_.end() ? full_ : found->second;
}

BatchLayout packed_layout(const std::vector<int64_t>& lengths,
                          int64_t shared_prefix,
                          at::Device device) {
  std::vector<at::Tensor> positions;
  std::vector<at::Tensor> triangles;
  for (const int64_t length : lengths) {
    positions.push_back(at::arange(shared_prefix, shared_prefix + length, at::kLong));
    triangles.push_back(causal(length, length, at::kCPU));
  }
  const at::Tensor documents = at::block_diag(triangles);
  const at::Tensor prefix = at::ones({documents.size(0), shared_prefix}, at::kBool);
  return {.position_ids = at::cat(positions).unsqueeze(0).to(device),
          .mask = at::cat({prefix, documents}, /*dim=*/1).unsqueeze(0).unsqueeze(0).to(device)};
}

}  // namespace slayer
