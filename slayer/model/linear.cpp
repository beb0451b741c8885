#include "slayer/model/linear.h"

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <optional>
#include <string_view>

#include "slayer/model/matrix_product.h"

namespace slayer {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

using OneDnnLinear = at::Tensor(const at::Tensor& x,
                                const at::Tensor& weight,
                                const std::optional<at::Tensor>& bias,
                                std::string_view activation,
                                c10::List<std::optional<at::Scalar>> scalars,
                                std::optional<std::string_view> algorithm);

/// oneDNN's product, where this libtorch has it.
std::optional<c10::TypedOperatorHandle<OneDnnLinear>> find_onednn_linear() {
  const auto found =
      c10::Dispatcher::singleton().findSchema({"mkldnn::_linear_pointwise", /*overload=*/""});
  if (!found || !at::globalContext().userEnabledMkldnn()) {
    return std::nullopt;
  }
  return found->typed<OneDnnLinear>();
}

bool is_recorded(const at::Tensor& tensor) { return tensor.defined() && tensor.requires_grad(); }

at::Tensor product(const at::Tensor& x,
                   const at::Tensor& weight,
                   const std::optional<at::Tensor>& bias) {
  static const auto onednn = find_onednn_linear();
  const bool is_float = x.scalar_type() == at::kFloat;
  if (!x.is_cpu() || (is_float && !onednn)) {
    return at::linear(x, weight, bias);
  }
  const at::Tensor rows = x.flatten(0, -2);
  const at::Tensor y =
      is_float
          ? onednn->call(
                rows, weight, bias, "none", c10::List<std::optional<at::Scalar>>(), std::nullopt)
          : matrix_product(rows, weight.t(), bias.value_or(at::Tensor()));
  // Not a view for autograd, which would forbid adding into it.
  at::DimVector sizes(x.sizes().begin(), x.sizes().end());
  sizes.back() = weight.size(0);
  return at::_unsafe_view(y, sizes);
}

/// Keeps x only where the weight trains.
class Linear final : public torch::autograd::Function<Linear> {
 public:
  static at::Tensor forward(AutogradContext* context,
                            const at::Tensor& x,
                            const at::Tensor& weight,
                            const std::optional<at::Tensor>& bias) {
    context->saved_data["has_bias"] = bias.has_value();
    context->save_for_backward({weight, weight.requires_grad() ? x : at::Tensor()});
    return product(x, weight, bias);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& weight = saved[0];
    const at::Tensor dy = gradients[0].flatten(0, -2);
    at::Tensor dx;
    at::Tensor dweight;
    at::Tensor dbias;
    if (context->needs_input_grad(0)) {
      dx = product(dy, weight.t(), std::nullopt)
               .unflatten(0, gradients[0].sizes().slice(0, gradients[0].dim() - 1));
    }
    if (context->needs_input_grad(1)) {
      dweight = matrix_product(dy.t(), saved[1].flatten(0, -2));
    }
    if (context->saved_data["has_bias"].toBool() && context->needs_input_grad(2)) {
      dbias = dy.sum(0);
    }
    return {dx, dweight, dbias};
  }
};

}  // namespace

at::Tensor apply_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  const auto optional_bias = bias.defined() ? std::optional(bias) : std::nullopt;
  if (at::GradMode::is_enabled() && (is_recorded(x) || is_recorded(weight) || is_recorded(bias))) {
    return Linear::apply(x, weight, optional_bias);
  }
  return product(x, weight, optional_bias);
}

}  // namespace slayer
