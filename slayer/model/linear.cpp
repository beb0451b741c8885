#include "slayer/model/linear.h"

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <optional>
#include <string_view>

namespace slayer {
namespace {

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

}  // namespace

at::Tensor apply_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  static const auto onednn = find_onednn_linear();
  const bool has_graph =
      at::GradMode::is_enabled() && (is_recorded(x) || is_recorded(weight) || is_recorded(bias));
  if (!onednn || has_graph || !x.is_cpu() || x.scalar_type() != at::kFloat) {
    return at::linear(x, weight, bias);
  }
  return onednn->call(x,
                      weight,
                      bias.defined() ? std::optional(bias) : std::nullopt,
                      "none",
                      c10::List<std::optional<at::Scalar>>(),
                      std::nullopt);
}

}  // namespace slayer
