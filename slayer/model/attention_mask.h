#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "slayer/checkpoint/config.h"

namespace slayer {

class KvCache;

/// Positions and mask of a batch whose rows are packed documents. Undefined tensors: each row is
/// one sequence, causal.
struct BatchLayout {
  /// [batch or 1, seq] int64: each token's place in its document, counted from 0 without gaps.
  at::Tensor position_ids;
  /// Where documents see nothing but themselves: their lengths, one row's after the other's, which
  /// add up to batch * seq. Then there is no cache and no `mask`.
  std::vector<int64_t> pieces = {};
  /// [batch or 1, 1, seq, past + seq] bool, true where attended; every token attends to itself at
  /// least. `past` are the tokens in the cache, 0 without one.
  at::Tensor mask;
};

/// One row that holds documents of these lengths one after the other, blind to each other but all
/// seeing the first `shared_prefix` tokens, which a cache of batch 1 already holds. So many
/// continuations of one prompt, or many short texts, run as one sequence without padding.
BatchLayout packed_layout(const std::vector<int64_t>& lengths,
                          int64_t shared_prefix,
                          at::Device device);

/// How attention is masked, as scaled_dot_product_attention wants it.
struct AttentionMask {
  bool is_causal = false;            ///< Lower triangle; then `bias` is undefined.
  std::vector<int64_t> pieces = {};  ///< Causal within each, as BatchLayout has them; or empty.
  at::Tensor
      bias;  ///< [batch or 1, 1, seq, keys], 0 where attended and -inf elsewhere, or undefined.
};

/// The masks of one forward pass: the full one, and one for each sliding window that bites.
class AttentionMasks final {
 public:
  AttentionMasks() = default;

  /// @param position_ids [batch or 1, seq]; `key_position_ids` [batch or 1, past + seq].
  /// @param windows      the layers' sliding windows.
  AttentionMasks(const BatchLayout& layout,
                 const at::Tensor& position_ids,
                 const at::Tensor& key_position_ids,
                 const std::vector<std::optional<int64_t>>& windows,
                 at::ScalarType dtype);

  const AttentionMask& of(std::optional<int64_t> window) const;

 private:
  AttentionMask full_;
  std::map<int64_t, AttentionMask> windowed_;
};

}  // namespace slayer
