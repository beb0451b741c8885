#include "slayer/model/cached_attention.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <cassert>
#include <cmath>
#include <vector>

#include "slayer/model/exponential.h"
#include "slayer/model/lanes.h"

namespace slayer {
namespace {

/// All queries of one key head, [rows, head_dim], and its keys, [keys, head_dim].
struct Sizes {
  int64_t rows;
  int64_t keys;
  int64_t head_dim;
};

#ifdef __x86_64__
[[gnu::target_clones("avx512f", "avx2", "default")]]
#endif
/// @param scores [rows, keys]
void score_keys(const Sizes& sizes, const float* queries, const float* keys, float* scores) {
  for (int64_t k = 0; k < sizes.keys; ++k) {
    const float* const key = keys + k * sizes.head_dim;
    for (int64_t row = 0; row < sizes.rows; ++row) {
      const float* const query = queries + row * sizes.head_dim;
      scores[row * sizes.keys + k] =
          sum_in_lanes(sizes.head_dim, [&](int64_t i) { return query[i] * key[i]; });
    }
  }
}

#ifdef __x86_64__
[[gnu::target_clones("avx512f", "avx2", "default")]]
#endif
/// @param mixed [rows, head_dim], zeros
void mix_values(const Sizes& sizes, const float* weights, const float* values, float* mixed) {
  for (int64_t k = 0; k < sizes.keys; ++k) {
    const float* const value = values + k * sizes.head_dim;
    for (int64_t row = 0; row < sizes.rows; ++row) {
      const float weight = weights[row * sizes.keys + k];
      float* const out = mixed + row * sizes.head_dim;
      for (int64_t i = 0; i < sizes.head_dim; ++i) {
        out[i] += weight * value[i];
      }
    }
  }
}

/// One key head's scores -> probabilities; its rows are its query heads' queries, one head's after
/// the other's.
/// @param bias [seq, keys], or null
void softmax_rows(const Sizes& sizes, int64_t seq, const float* bias, float* scores) {
  for (int64_t row = 0; row < sizes.rows; ++row) {
    float* const of_row = scores + row * sizes.keys;
    for (int64_t k = 0; bias != nullptr && k < sizes.keys; ++k) {
      of_row[k] += bias[row % seq * sizes.keys + k];
    }
    const float sum = exponentiate(of_row, sizes.keys).second;
    for (int64_t k = 0; k < sizes.keys; ++k) {
      of_row[k] /= sum;
    }
  }
}

}  // namespace

at::Tensor cached_attention(const at::Tensor& query,
                            const at::Tensor& key,
                            const at::Tensor& value,
                            const at::Tensor& bias) {
  assert(key.stride(3) == 1 && key.stride(2) == key.size(3) && key.strides() == value.strides());
  const int64_t kv_heads = key.size(1);
  const int64_t seq = query.size(2);
  const Sizes sizes{
      .rows = query.size(1) / kv_heads * seq, .keys = key.size(2), .head_dim = key.size(3)};
  const at::Tensor queries =
      (query * (1.0 / std::sqrt(static_cast<double>(sizes.head_dim)))).contiguous();
  const at::Tensor biases = bias.defined() ? bias.contiguous() : bias;
  const at::Tensor mixed = at::zeros(query.sizes(), query.options());
  const int64_t of_batch = bias.defined() && bias.size(0) > 1 ? seq * sizes.keys : 0;
  at::parallel_for(0, query.size(0) * kv_heads, /*grain_size=*/1, [&](int64_t begin, int64_t end) {
    std::vector<float> scores(static_cast<size_t>(sizes.rows * sizes.keys));
    for (int64_t task = begin; task < end; ++task) {
      const int64_t row = task / kv_heads;
      const int64_t of_head = row * key.stride(0) + task % kv_heads * key.stride(1);
      const int64_t of_task = task * sizes.rows * sizes.head_dim;
      score_keys(sizes,
                 queries.const_data_ptr<float>() + of_task,
                 key.const_data_ptr<float>() + of_head,
                 scores.data());
      softmax_rows(sizes,
                   seq,
                   bias.defined() ? biases.const_data_ptr<float>() + row * of_batch : nullptr,
                   scores.data());
      mix_values(sizes,
                 scores.data(),
                 value.const_data_ptr<float>() + of_head,
                 mixed.mutable_data_ptr<float>() + of_task);
    }
  });
  return mixed.transpose(1, 2);
}

}  // namespace slayer
