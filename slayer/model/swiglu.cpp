#include "slayer/model/swiglu.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include "slayer/model/exponential.h"

namespace slayer {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kElementsAtOnce = 1 << 14;  // For one thread: a few times what waking it costs.

inline float sigmoid(float x) { return 1.0F / (1.0F + exponential(-x)); }

// exp is what costs here: worth the widest registers that the processor has.
#ifdef __x86_64__
[[gnu::target_clones("avx512f", "avx2", "default")]]
#endif
void gate_elements(const float* gate, const float* up, int64_t count, float* y) {
  for (int64_t i = 0; i < count; ++i) {
    y[i] = gate[i] * sigmoid(gate[i]) * up[i];
  }
}

#ifdef __x86_64__
[[gnu::target_clones("avx512f", "avx2", "default")]]
#endif
void gate_elements_backward(
    const float* dy, const float* gate, const float* up, int64_t count, float* dgate, float* dup) {
  for (int64_t i = 0; i < count; ++i) {
    const float s = sigmoid(gate[i]);
    const float silu = gate[i] * s;
    dgate[i] = dy[i] * up[i] * (s + silu * (1.0F - s));
    dup[i] = dy[i] * silu;
  }
}

at::Tensor gated(const at::Tensor& gate, const at::Tensor& up) {
  at::Tensor y = at::empty_like(gate);
  const float* const gates = gate.const_data_ptr<float>();
  const float* const ups = up.const_data_ptr<float>();
  float* const ys = y.mutable_data_ptr<float>();
  at::parallel_for(0, gate.numel(), kElementsAtOnce, [=](int64_t begin, int64_t end) {
    gate_elements(gates + begin, ups + begin, end - begin, ys + begin);
  });
  return y;
}

/// The gradients of gate and up.
std::pair<at::Tensor, at::Tensor> gated_backward(const at::Tensor& dy,
                                                 const at::Tensor& gate,
                                                 const at::Tensor& up) {
  std::pair<at::Tensor, at::Tensor> result{at::empty_like(gate), at::empty_like(up)};
  const float* const dys = dy.const_data_ptr<float>();
  const float* const gates = gate.const_data_ptr<float>();
  const float* const ups = up.const_data_ptr<float>();
  float* const dgates = result.first.mutable_data_ptr<float>();
  float* const dups = result.second.mutable_data_ptr<float>();
  at::parallel_for(0, gate.numel(), kElementsAtOnce, [=](int64_t begin, int64_t end) {
    gate_elements_backward(
        dys + begin, gates + begin, ups + begin, end - begin, dgates + begin, dups + begin);
  });
  return result;
}

class Swiglu final : public torch::autograd::Function<Swiglu> {
 public:
  static at::Tensor forward(AutogradContext* context,
                            const at::Tensor& gate,
                            const at::Tensor& up) {
    context->save_for_backward({gate, up});
    return gated(gate, up);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    auto [dgate, dup] = gated_backward(gradients[0].contiguous(), saved[0], saved[1]);
    return {dgate, dup};
  }
};

}  // namespace

at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up) {
  if (!gate.is_cpu() || gate.scalar_type() != at::kFloat) {
    return at::silu(gate).mul_(up);
  }
  if (at::GradMode::is_enabled() && (gate.requires_grad() || up.requires_grad())) {
    return Swiglu::apply(gate.contiguous(), up.contiguous());
  }
  return gated(gate.contiguous(), up.contiguous());
}

}  // namespace slayer
