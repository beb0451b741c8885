#include "slayer/model/low_rank_adapter.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include "slayer/model/linear.h"

namespace slayer {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// [..., width] -> [rows, width] in the adapters' float32.
at::Tensor rows_of(const at::Tensor& x) { return x.flatten(0, -2).to(at::kFloat); }

class AddAdapter final : public torch::autograd::Function<AddAdapter> {
 public:
  static at::Tensor forward(AutogradContext* context,
                            at::Tensor output,
                            const at::Tensor& x,
                            const at::Tensor& a,
                            const at::Tensor& b,
                            double scale) {
    const at::Tensor low = apply_linear(x.to(a.scalar_type()), a);
    output.add_(apply_linear(low, b), scale);
    context->saved_data["scale"] = scale;
    context->save_for_backward({x, low, a, b});
    context->mark_dirty({output});
    return output;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& x = saved[0];
    const at::Tensor low = saved[1].flatten(0, -2);
    const at::Tensor& a = saved[2];
    const at::Tensor& b = saved[3];
    const double scale = context->saved_data["scale"].toDouble();
    const at::Tensor dy = rows_of(gradients[0]);
    const at::Tensor db = at::mm(dy.t(), low).mul_(scale);
    const at::Tensor dlow = at::mm(dy, b).mul_(scale);
    const at::Tensor da = at::mm(dlow.t(), rows_of(x));
    at::Tensor dx;
    if (context->needs_input_grad(1)) {
      dx = at::mm(dlow, a).to(x.scalar_type()).view_as(x);
    }
    return {gradients[0], dx, da, db, at::Tensor()};
  }
};

}  // namespace

void add_adapter(at::Tensor& output, const at::Tensor& x, const LowRankAdapter& adapter) {
  output = AddAdapter::apply(output, x, adapter.a, adapter.b, adapter.scale);
}

}  // namespace slayer
