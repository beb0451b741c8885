#include "slayer/model/causal_attention.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>

#include "slayer/model/exponential.h"
#include "slayer/model/lanes.h"

namespace slayer {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Of a block, over all query heads of one key head: enough for products at full speed, few enough
/// that scores with some thousand keys stay in the cache.
constexpr int64_t kRowsOfBlock = 96;

/// Query, key and value in float32, each [tokens, heads or kv_heads, head_dim], and what follows
/// from them.
struct Inputs {
  at::Tensor query;
  at::Tensor key;
  at::Tensor value;
  int64_t head_dim;
  int64_t group;  ///< Query heads of one key head.
  float scale;

  Inputs(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v)
      : query(q.flatten(0, 1).to(at::kFloat)),
        key(k.flatten(0, 1).to(at::kFloat)),
        value(v.flatten(0, 1).to(at::kFloat)),
        head_dim(q.size(-1)),
        group(q.size(-2) / k.size(-2)),
        scale(1.0F / std::sqrt(static_cast<float>(head_dim))) {}
};

/// Queries [begin, end) of the piece whose first token is `origin`, of the heads that share one key
/// head. Its matrices have a row for each query and head, heads fastest.
struct Block {
  int64_t origin;
  int64_t begin;
  int64_t end;
  int64_t kv_head;
};

/// Of one row: the token and head it belongs to, as an index into [tokens * heads], and how many
/// keys it sees.
struct Row {
  int64_t index;
  int64_t keys;
};

template <class Visit>
void for_each_row(const Inputs& inputs, const Block& block, Visit visit) {
  int64_t row = 0;
  for (int64_t query = block.begin; query < block.end; ++query) {
    const int64_t first =
        (block.origin + query) * inputs.query.size(1) + block.kv_head * inputs.group;
    for (int64_t head = 0; head < inputs.group; ++head, ++row) {
      visit(row, Row{.index = first + head, .keys = query + 1});
    }
  }
}

/// A block's rows of x [tokens, heads, head_dim], times `factor`.
at::Tensor gather_rows(const at::Tensor& x,
                       const Inputs& inputs,
                       const Block& block,
                       float factor) {
  const int64_t rows = (block.end - block.begin) * inputs.group;
  at::Tensor result = at::empty({rows, inputs.head_dim}, x.options());
  const float* const from = x.const_data_ptr<float>();
  float* const to = result.mutable_data_ptr<float>();
  for_each_row(inputs, block, [&](int64_t row, const Row& of) {
    for (int64_t i = 0; i < inputs.head_dim; ++i) {
      to[row * inputs.head_dim + i] = from[of.index * inputs.head_dim + i] * factor;
    }
  });
  return result;
}

/// A block's rows, each times factor(row), into x [tokens, heads, head_dim].
template <class Factor>
void scatter_rows(const at::Tensor& rows,
                  const Inputs& inputs,
                  const Block& block,
                  const at::Tensor& x,
                  Factor factor) {
  const float* const from = rows.const_data_ptr<float>();
  float* const to = x.mutable_data_ptr<float>();
  for_each_row(inputs, block, [&](int64_t row, const Row& of) {
    const float times = factor(row);
    for (int64_t i = 0; i < inputs.head_dim; ++i) {
      to[of.index * inputs.head_dim + i] = from[row * inputs.head_dim + i] * times;
    }
  });
}

/// What the block's queries may see of a key or value: a view [keys, head_dim].
at::Tensor seen_by(const Block& block, const at::Tensor& x) {
  return x.select(1, block.kv_head).narrow(0, block.origin, block.end);
}

#ifdef __x86_64__
[[gnu::target_clones("avx512f", "avx2", "default")]]
#endif
/// Scores -> probabilities, and the gradients of probabilities -> those of scores.
/// @param mean of the gradients, weighted by the probabilities.
void softmax_row_backward(
    float* scores, float* gradients, int64_t keys, float log_sum_exp, float mean) {
  for (int64_t k = 0; k < keys; ++k) {
    scores[k] = exponential(scores[k] - log_sum_exp);
    gradients[k] = scores[k] * (gradients[k] - mean);
  }
}

void hide_unseen(float* row, int64_t seen, int64_t keys) {
  std::fill(row + seen, row + keys, 0.0F);
}

/// For each piece and key head, the block of all its queries.
std::vector<Block> whole_pieces(const std::vector<int64_t>& pieces, int64_t kv_heads) {
  std::vector<Block> wholes;
  int64_t origin = 0;
  for (const int64_t length : pieces) {
    for (int64_t head = 0; head < kv_heads; ++head) {
      wholes.push_back({.origin = origin, .begin = 0, .end = length, .kv_head = head});
    }
    origin += length;
  }
  return wholes;
}

/// Runs visit(block) for all blocks. Those of one piece and key head run one after the other in one
/// thread: they add into the same gradients, in the same order however many threads there are.
template <class Visit>
void for_each_block(const Inputs& inputs, const std::vector<int64_t>& pieces, Visit visit) {
  const std::vector<Block> wholes = whole_pieces(pieces, inputs.key.size(1));
  const int64_t block_size = std::max<int64_t>(kRowsOfBlock / inputs.group, 1);
  at::parallel_for(0, std::ssize(wholes), /*grain_size=*/1, [&](int64_t first, int64_t last) {
    const at::NoGradGuard no_grad;  // Each thread has a mode of its own.
    for (int64_t i = first; i < last; ++i) {
      const Block& whole = wholes[static_cast<size_t>(i)];
      for (Block block = whole; block.begin < whole.end; block.begin = block.end) {
        block.end = std::min(block.begin + block_size, whole.end);
        visit(block);
      }
    }
  });
}

/// What the forward pass leaves: [tokens, heads, head_dim] and [tokens, heads].
struct Attended {
  at::Tensor output;
  at::Tensor log_sum_exp;
};

void attend_block(const Inputs& inputs, const Block& block, const Attended& attended) {
  const at::Tensor queries = gather_rows(inputs.query, inputs, block, inputs.scale);
  const at::Tensor scores = at::mm(queries, seen_by(block, inputs.key).t());
  const int64_t keys = block.end;
  float* const score = scores.mutable_data_ptr<float>();
  float* const log_sum_exp = attended.log_sum_exp.mutable_data_ptr<float>();
  std::vector<float> sums(static_cast<size_t>(scores.size(0)));
  for_each_row(inputs, block, [&](int64_t row, const Row& of) {
    const auto [largest, sum] = exponentiate(score + row * keys, of.keys);
    hide_unseen(score + row * keys, of.keys, keys);
    sums[static_cast<size_t>(row)] = sum;
    log_sum_exp[of.index] = largest + std::log(sum);
  });
  const at::Tensor mixed = at::mm(scores, seen_by(block, inputs.value));
  scatter_rows(mixed, inputs, block, attended.output, [&](int64_t row) {
    return 1.0F / sums[static_cast<size_t>(row)];
  });
}

Attended attend_blocks(const Inputs& inputs, const std::vector<int64_t>& pieces) {
  const Attended attended{
      .output = at::empty_like(inputs.query),
      .log_sum_exp = at::empty(inputs.query.sizes().slice(0, 2), inputs.query.options())};
  for_each_block(
      inputs, pieces, [&](const Block& block) { attend_block(inputs, block, attended); });
  return attended;
}

struct Gradients {
  at::Tensor query;
  at::Tensor key;
  at::Tensor value;
};

void attend_block_backward(const Inputs& inputs,
                           const Block& block,
                           const Attended& attended,
                           const at::Tensor& doutput,
                           const Gradients& gradients) {
  const at::Tensor queries = gather_rows(inputs.query, inputs, block, inputs.scale);
  const at::Tensor douts = gather_rows(doutput, inputs, block, 1.0F);
  const at::Tensor seen_keys = seen_by(block, inputs.key);
  const at::Tensor scores = at::mm(queries, seen_keys.t());
  const at::Tensor dscores = at::mm(douts, seen_by(block, inputs.value).t());
  const int64_t keys = block.end;
  float* const score = scores.mutable_data_ptr<float>();
  float* const dscore = dscores.mutable_data_ptr<float>();
  const float* const log_sum_exp = attended.log_sum_exp.const_data_ptr<float>();
  const float* const outputs = attended.output.const_data_ptr<float>();
  const float* const dout = douts.const_data_ptr<float>();
  for_each_row(inputs, block, [&](int64_t row, const Row& of) {
    const float* const output = outputs + of.index * inputs.head_dim;
    const float* const gradient = dout + row * inputs.head_dim;
    const float mean =
        sum_in_lanes(inputs.head_dim, [&](int64_t i) { return output[i] * gradient[i]; });
    softmax_row_backward(
        score + row * keys, dscore + row * keys, of.keys, log_sum_exp[of.index], mean);
    hide_unseen(score + row * keys, of.keys, keys);
    hide_unseen(dscore + row * keys, of.keys, keys);
  });
  seen_by(block, gradients.value).addmm_(scores.t(), douts);
  seen_by(block, gradients.key).addmm_(dscores.t(), queries);
  scatter_rows(at::mm(dscores, seen_keys), inputs, block, gradients.query, [&](int64_t) {
    return inputs.scale;
  });
}

/// [tokens, heads, head_dim] -> the shape and dtype of `like`.
at::Tensor in_form_of(const at::Tensor& x, const at::Tensor& like) {
  return x.to(like.scalar_type()).view_as(like);
}

class CausalAttention final : public torch::autograd::Function<CausalAttention> {
 public:
  static at::Tensor forward(AutogradContext* context,
                            const at::Tensor& query,
                            const at::Tensor& key,
                            const at::Tensor& value,
                            const std::vector<int64_t>& pieces) {
    const Attended attended = attend_blocks({query, key, value}, pieces);
    const at::Tensor output = in_form_of(attended.output, query);
    context->save_for_backward({query, key, value, output, attended.log_sum_exp});
    context->saved_data["pieces"] = pieces;
    return output;
  }

  static variable_list backward(AutogradContext* context, const variable_list& upstream) {
    const variable_list saved = context->get_saved_variables();
    const Inputs inputs(saved[0], saved[1], saved[2]);
    const Attended attended{.output = saved[3].flatten(0, 1).to(at::kFloat),
                            .log_sum_exp = saved[4]};
    const at::Tensor doutput = upstream[0].contiguous().flatten(0, 1).to(at::kFloat);
    const Gradients gradients{.query = at::empty_like(inputs.query),
                              .key = at::zeros_like(inputs.key),
                              .value = at::zeros_like(inputs.value)};
    for_each_block(inputs, context->saved_data["pieces"].toIntVector(), [&](const Block& block) {
      attend_block_backward(inputs, block, attended, doutput, gradients);
    });
    return {in_form_of(gradients.query, saved[0]),
            in_form_of(gradients.key, saved[1]),
            in_form_of(gradients.value, saved[2]),
            at::Tensor()};
  }
};

}  // namespace

at::Tensor causal_attention(const at::Tensor& query,
                            const at::Tensor& key,
                            const at::Tensor& value,
                            const std::vector<int64_t>& pieces) {
  if (at::GradMode::is_enabled() &&
      (query.requires_grad() || key.requires_grad() || value.requires_grad())) {
    return CausalAttention::apply(query.contiguous(), key.contiguous(), value.contiguous(), pieces);
  }
  const Inputs inputs(query.contiguous(), key.contiguous(), value.contiguous());
  return in_form_of(attend_blocks(inputs, pieces).output, query);
}

}  // namespace slayer
