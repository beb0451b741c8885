#include "slayer/model/attention_mask.h"

#include <ATen/ATen.h>

#include <algorithm>
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

/// What the tokens of rows of pieces attend to: [batch, 1, seq, seq] bool. Each piece begins at
/// position 0, so counting the beginnings numbers the pieces.
at::Tensor mask_of_pieces(const at::Tensor& position_ids) {
  const at::Tensor piece = position_ids.eq(0).cumsum(1);
  const at::Tensor is_same = piece.unsqueeze(-1).eq(piece.unsqueeze(-2));
  return is_same.tril().unsqueeze(1);
}

}  // namespace

AttentionMasks::AttentionMasks(const BatchLayout& layout,
                               const at::Tensor& position_ids,
                               const at::Tensor& key_position_ids,
                               const std::vector<std::optional<int64_t>>& windows,
                               at::ScalarType dtype) {
  const int64_t seq = position_ids.size(1);
  const int64_t keys = key_position_ids.size(1);
  const bool has_pieces = !layout.pieces.empty();
  const bool is_one_sequence = !has_pieces && !layout.mask.defined();
  if (has_pieces) {
    full_.pieces = layout.pieces;
  } else if (layout.mask.defined()) {
    full_ = from_bool(layout.mask, dtype);
  } else if (seq == keys) {
    full_.is_causal = true;
  } else if (seq > 1) {
    full_ = from_bool(causal(seq, keys, position_ids.device()).view({1, 1, seq, keys}), dtype);
  }
  for (const auto& window : windows) {
    // Positions of attended tokens have no gaps, so with no more keys than the window none is out.
    const int64_t attended_keys = has_pieces ? std::ranges::max(layout.pieces) : keys;
    if (!window || attended_keys <= *window || windowed_.contains(*window)) {
      continue;
    }
    const at::Tensor distance = position_ids.unsqueeze(-1) - key_position_ids.unsqueeze(-2);
    const at::Tensor is_near = (distance < *window).unsqueeze(1);
    const at::Tensor attended = is_one_sequence ? causal(seq, keys, position_ids.device())
                                : has_pieces    ? mask_of_pieces(position_ids)
                                                : layout.mask;
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
  const at::Tensor position_ids = at::cat(positions).unsqueeze(0).to(device);
  if (shared_prefix == 0) {
    return {.position_ids = position_ids, .pieces = lengths, .mask = {}};
  }
  const at::Tensor documents = at::block_diag(triangles);
  const at::Tensor prefix = at::ones({documents.size(0), shared_prefix}, at::kBool);
  return {.position_ids = position_ids,
          .pieces = {},
          .mask = at::cat({prefix, documents}, /*dim=*/1).unsqueeze(0).unsqueeze(0).to(device)};
}

}  // namespace slayer
