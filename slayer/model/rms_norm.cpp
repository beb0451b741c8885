#include "slayer/model/rms_norm.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>

#include "slayer/model/lanes.h"

namespace slayer {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kRowsAtOnce = 16;  // For one thread: a few times what waking it costs.

/// What one pass over the rows yields.
struct Normed {
  at::Tensor y;        ///< As x.
  at::Tensor inverse;  ///< [rows]: 1 / sqrt(mean(x^2) + epsilon).
};

Normed normalize(const at::Tensor& x, const at::Tensor& weight, double epsilon) {
  const int64_t size = weight.size(0);
  const int64_t rows = x.numel() / size;
  Normed result{.y = at::empty_like(x), .inverse = at::empty({rows}, x.options())};
  const float* const xs = x.const_data_ptr<float>();
  const float* const w = weight.const_data_ptr<float>();
  float* const ys = result.y.mutable_data_ptr<float>();
  float* const inverses = result.inverse.mutable_data_ptr<float>();
  at::parallel_for(0, rows, kRowsAtOnce, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float* const in = xs + row * size;
      float* const out = ys + row * size;
      const float squares = sum_in_lanes(size, [in](int64_t i) { return in[i] * in[i]; });
      const float inverse =
          1.0F / std::sqrt(squares / static_cast<float>(size) + static_cast<float>(epsilon));
      inverses[row] = inverse;
      for (int64_t i = 0; i < size; ++i) {
        out[i] = in[i] * inverse * w[i];
      }
    }
  });
  return result;
}

/// dx = inverse * (dy * w - x * inverse^2 * mean(dy * w * x))
at::Tensor normalize_backward(const at::Tensor& dy,
                              const at::Tensor& x,
                              const at::Tensor& weight,
                              const at::Tensor& inverse) {
  const int64_t size = weight.size(0);
  at::Tensor dx = at::empty_like(x);
  const float* const dys = dy.const_data_ptr<float>();
  const float* const xs = x.const_data_ptr<float>();
  const float* const w = weight.const_data_ptr<float>();
  const float* const inverses = inverse.const_data_ptr<float>();
  float* const dxs = dx.mutable_data_ptr<float>();
  at::parallel_for(0, inverse.size(0), kRowsAtOnce, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float* const gradient = dys + row * size;
      const float* const in = xs + row * size;
      float* const out = dxs + row * size;
      const float projected =
          sum_in_lanes(size, [gradient, in, w](int64_t i) { return gradient[i] * w[i] * in[i]; });
      const float scale = inverses[row];
      const float along = projected / static_cast<float>(size) * scale * scale;
      for (int64_t i = 0; i < size; ++i) {
        out[i] = scale * (gradient[i] * w[i] - in[i] * along);
      }
    }
  });
  return dx;
}

class RmsNorm final : public torch::autograd::Function<RmsNorm> {
 public:
  static at::Tensor forward(AutogradContext* context,
                            const at::Tensor& x,
                            const at::Tensor& weight,
                            double epsilon) {
    const Normed normed = normalize(x, weight, epsilon);
    context->save_for_backward({x, weight, normed.inverse});
    return normed.y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& x = saved[0];
    const at::Tensor& weight = saved[1];
    const at::Tensor& inverse = saved[2];
    const at::Tensor dy = gradients[0].contiguous();
    at::Tensor dx;
    at::Tensor dweight;
    if (context->needs_input_grad(0)) {
      dx = normalize_backward(dy, x, weight, inverse);
    }
    if (context->needs_input_grad(1)) {
      const at::Tensor rows = x.reshape({-1, weight.size(0)}) * inverse.unsqueeze(1);
      dweight = rows.mul_(dy.reshape_as(rows)).sum(0);
    }
    return {dx, dweight, at::Tensor()};
  }
};

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon) {
  if (!x.is_cpu() || x.scalar_type() != at::kFloat || weight.scalar_type() != at::kFloat) {
    return at::rms_norm(x, weight.sizes(), weight, epsilon);
  }
  if (at::GradMode::is_enabled() && (x.requires_grad() || weight.requires_grad())) {
    return RmsNorm::apply(x.contiguous(), weight, epsilon);
  }
  return normalize(x.contiguous(), weight, epsilon).y;
}

}  // namespace slayer
