#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "slayer/checkpoint/config.h"

namespace slayer {

/// Keys and values of the tokens seen so far, one pair a layer. For generation, and for prompts
/// that many continuations share: run the prompt once, then continuations one after the other with
/// `truncate` between them, all at once with packed_layout(), or as a batch from `expanded`.
class KvCache final {
 public:
  /// Room for `capacity` tokens in each of `batch` rows.
  KvCache(const ModelConfig& config,
          int64_t batch,
          int64_t capacity,
          at::ScalarType dtype,
          at::Device device);

  int64_t length() const { return length_; }
  int64_t capacity() const { return position_ids_.size(1); }
  int64_t batch() const { return position_ids_.size(0); }

  /// Forgets all but the first `length` tokens.
  void truncate(int64_t length);

  /// The rows of this cache one after the other as often as named (rows {0, 0, 0}: three copies of
  /// the first), with room for `capacity` tokens.
  KvCache rows(const std::vector<int64_t>& rows, int64_t capacity) const;

  /// Rows [first, first + count) as a cache of their own in this one's memory.
  KvCache view(int64_t first, int64_t count) const;

  /// Fills up to `length` tokens with zeros, for a mask to hide: what memory held before may be
  /// NaN, which no mask hides.
  void pad(int64_t length);

  /// Takes as seen what views have stored of the tokens up to `length`.
  void advance(int64_t length);

  /// Row i becomes what row `rows[i]` is now, and all rows behind are gone. In place: none may be
  /// named after it was written over.
  void keep(const std::vector<int64_t>& rows);

  /// Takes in the positions of the tokens of one forward pass, before its layers run.
  /// @param position_ids [batch or 1, seq]. @return those of all tokens so far, [batch, length].
  at::Tensor extend(const at::Tensor& position_ids);

  /// Puts one layer's keys and values [batch, heads, seq, head_dim] behind its first `past` ones.
  /// @return all of them so far.
  std::pair<at::Tensor, at::Tensor> store(int64_t layer,
                                          int64_t past,
                                          const at::Tensor& keys,
                                          const at::Tensor& values);

 private:
  /// visit(tensor, its dimension of tokens)
  template <class Visit>
  void for_each_tensor(Visit visit);

  int64_t length_ = 0;
  at::Tensor position_ids_;         ///< [batch, capacity] int64
  std::vector<at::Tensor> keys_;    ///< One a layer: [batch, kv_heads, capacity, head_dim].
  std::vector<at::Tensor> values_;  ///< As keys_.
};

}  // namespace slayer
