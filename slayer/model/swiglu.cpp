#include "slayer/model/swiglu.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <array>

#include "slayer/model/elements.h"
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

constexpr int64_t kChunk = 512;  // A few of them in float32 stay in the first-level cache.
using Chunk = std::array<float, kChunk>;

/// Runs visit(begin, size) for pieces of [0, count): the loops above are cloned for processors,
/// which templates cannot be, so bfloat16 goes through float32 buffers.
template <class Visit>
void for_each_chunk(int64_t count, Visit visit) {
  for (int64_t begin = 0; begin < count; begin += kChunk) {
    visit(begin, std::min(kChunk, count - begin));
  }
}

template <class T>
void gate_chunks(const T* gate, const T* up, int64_t count, T* y) {
  Chunk gates;
  Chunk ups;
  Chunk ys;
  for_each_chunk(count, [&](int64_t begin, int64_t size) {
    gate_elements(as_floats(gate + begin, size, gates.data()),
                  as_floats(up + begin, size, ups.data()),
                  size,
                  staged(y + begin, ys.data()));
    round_into(y + begin, size, ys.data());
  });
}

template <class T>
void gate_chunks_backward(
    const T* dy, const T* gate, const T* up, int64_t count, T* dgate, T* dup) {
  Chunk dys;
  Chunk gates;
  Chunk ups;
  Chunk dgates;
  Chunk dups;
  for_each_chunk(count, [&](int64_t begin, int64_t size) {
    gate_elements_backward(as_floats(dy + begin, size, dys.data()),
                           as_floats(gate + begin, size, gates.data()),
                           as_floats(up + begin, size, ups.data()),
                           size,
                           staged(dgate + begin, dgates.data()),
                           staged(dup + begin, dups.data()));
    round_into(dgate + begin, size, dgates.data());
    round_into(dup + begin, size, dups.data());
  });
}

at::Tensor gated(const at::Tensor& gate, const at::Tensor& up) {
  at::Tensor y = at::empty_like(gate);
  with_element_type(gate, [&]<class T>(T) {
    const T* const gates = gate.const_data_ptr<T>();
    const T* const ups = up.const_data_ptr<T>();
    T* const ys = y.mutable_data_ptr<T>();
    at::parallel_for(0, gate.numel(), kElementsAtOnce, [=](int64_t begin, int64_t end) {
      gate_chunks(gates + begin, ups + begin, end - begin, ys + begin);
    });
  });
  return y;
}

/// The gradients of gate and up.
std::pair<at::Tensor, at::Tensor> gated_backward(const at::Tensor& dy,
                                                 const at::Tensor& gate,
                                                 const at::Tensor& up) {
  std::pair<at::Tensor, at::Tensor> result{at::empty_like(gate), at::empty_like(up)};
  with_element_type(gate, [&]<class T>(T) {
    const T* const dys = dy.const_data_ptr<T>();
    const T* const gates = gate.const_data_ptr<T>();
    const T* const ups = up.const_data_ptr<T>();
    T* const dgates = result.first.mutable_data_ptr<T>();
    T* const dups = result.second.mutable_data_ptr<T>();
    at::parallel_for(0, gate.numel(), kElementsAtOnce, [=](int64_t begin, int64_t end) {
      gate_chunks_backward(
          dys + begin, gates + begin, ups + begin, end - begin, dgates + begin, dups + begin);
    });
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
  if (!has_kernel(gate)) {
    return at::silu(gate).mul_(up);
  }
  if (at::GradMode::is_enabled() && (gate.requires_grad() || up.requires_grad())) {
    return Swiglu::apply(gate.contiguous(), up.contiguous());
  }
  return gated(gate.contiguous(), up.contiguous());
}

}  // namespace slayer
