#include "slayer/model/rms_norm.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>

#include "slayer/model/elements.h"
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

template <class T>
Normed normalize_rows(const at::Tensor& x, const at::Tensor& weight, double epsilon) {
  const int64_t size = weight.size(0);
  const int64_t rows = x.numel() / size;
  Normed result{.y = at::empty_like(x),
                .inverse = at::empty({rows}, x.options().dtype(at::kFloat))};
  const T* const xs = x.const_data_ptr<T>();
  const T* const w = weight.const_data_ptr<T>();
  T* const ys = result.y.mutable_data_ptr<T>();
  float* const inverses = result.inverse.mutable_data_ptr<float>();
  at::parallel_for(0, rows, kRowsAtOnce, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const T* const in = xs + row * size;
      T* const out = ys + row * size;
      const float squares =
          sum_in_lanes(size, [in](int64_t i) { return float{in[i]} * float{in[i]}; });
      const float inverse =
          1.0F / std::sqrt(squares / static_cast<float>(size) + static_cast<float>(epsilon));
      inverses[row] = inverse;
      for (int64_t i = 0; i < size; ++i) {
        out[i] = float{in[i]} * inverse * float{w[i]};
      }
    }
  });
  return result;
}

Normed normalize(const at::Tensor& x, const at::Tensor& weight, double epsilon) {
  return with_element_type(x, [&]<class T>(T) { return normalize_rows<T>(x, weight, epsilon); });
}

/// dx = inverse * (dy * w - x * inverse^2 * mean(dy * w * x))
template <class T>
at::Tensor normalize_rows_backward(const at::Tensor& dy,
                                   const at::Tensor& x,
                                   const at::Tensor& weight,
                                   const at::Tensor& inverse) {
  const int64_t size = weight.size(0);
  at::Tensor dx = at::empty_like(x);
  const T* const dys = dy.const_data_ptr<T>();
  const T* const xs = x.const_data_ptr<T>();
  const T* const w = weight.const_data_ptr<T>();
  const float* const inverses = inverse.const_data_ptr<float>();
  T* const dxs = dx.mutable_data_ptr<T>();
  at::parallel_for(0, inverse.size(0), kRowsAtOnce, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const T* const gradient = dys + row * size;
      const T* const in = xs + row * size;
      T* const out = dxs + row * size;
      const float projected = sum_in_lanes(size, [gradient, in, w](int64_t i) {
        return float{gradient[i]} * float{w[i]} * float{in[i]};
      });
      const float scale = inverses[row];
      const float along = projected / static_cast<float>(size) * scale * scale;
      for (int64_t i = 0; i < size; ++i) {
        out[i] = scale * (float{gradient[i]} * float{w[i]} - float{in[i]} * along);
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
      dx = with_element_type(
          x, [&]<class T>(T) { return normalize_rows_backward<T>(dy, x, weight, inverse); });
    }
    if (context->needs_input_grad(1)) {
      const at::Tensor rows = x.reshape({-1, weight.size(0)}) * inverse.unsqueeze(1);
      dweight = rows.mul_(dy.reshape_as(rows)).sum(0).to(weight.scalar_type());
    }
    return {dx, dweight, at::Tensor()};
  }
};

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon) {
  if (!has_kernel(x) || weight.scalar_type() != x.scalar_type()) {
    return at::rms_norm(x, weight.sizes(), weight, epsilon);
  }
  if (at::GradMode::is_enabled() && (x.requires_grad() || weight.requires_grad())) {
    return RmsNorm::apply(x.contiguous(), weight, epsilon);
  }
  return normalize(x.contiguous(), weight, epsilon).y;
}

}  // namespace slayer
