#include "slayer/model/rotary.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <numbers>

#include "slayer/model/elements.h"

namespace slayer {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Long wavelengths are stretched by the factor, short ones kept, those between interpolated.
at::Tensor scale_as_llama3(const at::Tensor& frequencies, const RopeScaling& scaling) {
  const auto context = static_cast<double>(scaling.original_max_position_embeddings);
  const double longest = context / scaling.low_freq_factor;
  const double shortest = context / scaling.high_freq_factor;
  const at::Tensor wavelength = 2.0 * std::numbers::pi / frequencies;
  const at::Tensor scaled =
      at::where(wavelength > longest, frequencies / scaling.factor, frequencies);
  const at::Tensor smooth = (context / wavelength - scaling.low_freq_factor) /
                            (scaling.high_freq_factor - scaling.low_freq_factor);
  const at::Tensor between = (1.0 - smooth) * scaled / scaling.factor + smooth * scaled;
  const at::Tensor is_between = (wavelength >= shortest).logical_and(wavelength <= longest);
  return at::where(is_between, between, scaled);
}

enum class Turn : uint8_t { kForward, kBack };

template <class T>
void rotate_head(const T* x, const T* cos, const T* sin, int64_t half, float sign, T* turned) {
  for (int64_t i = 0; i < half; ++i) {
    const float real{x[i]};
    const float imaginary{x[half + i]};
    const float c{cos[i]};
    const float s = sign * float{sin[i]};
    turned[i] = real * c - imaginary * s;
    turned[half + i] = imaginary * c + real * s;
  }
}

/// @param x [batch, seq, heads, head_dim]; `cos` and `sin` [batch or 1, seq, 1, head_dim / 2].
at::Tensor rotate(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin, Turn turn) {
  constexpr int64_t kTokensAtOnce = 16;  // For one thread: a few times what waking it costs.
  at::Tensor result = at::empty_like(x);
  const int64_t tokens = x.size(0) * x.size(1);
  const int64_t angles = cos.size(0) * cos.size(1);  // Rows of a batch may share them.
  const int64_t heads = x.size(2);
  const int64_t half = x.size(3) / 2;
  const float sign = turn == Turn::kForward ? 1.0F : -1.0F;
  with_element_type(x, [&]<class T>(T) {
    const T* const xs = x.const_data_ptr<T>();
    const T* const cosines = cos.const_data_ptr<T>();
    const T* const sines = sin.const_data_ptr<T>();
    T* const out = result.mutable_data_ptr<T>();
    at::parallel_for(0, tokens, kTokensAtOnce, [=](int64_t begin, int64_t end) {
      for (int64_t token = begin; token < end; ++token) {
        const int64_t angle = token % angles * half;
        for (int64_t head = token * heads; head < (token + 1) * heads; ++head) {
          const int64_t at = head * 2 * half;
          rotate_head(xs + at, cosines + angle, sines + angle, half, sign, out + at);
        }
      }
    });
  });
  return result;
}

class Rotary final : public torch::autograd::Function<Rotary> {
 public:
  static at::Tensor forward(AutogradContext* context,
                            const at::Tensor& x,
                            const at::Tensor& cos,
                            const at::Tensor& sin) {
    context->save_for_backward({cos, sin});
    return rotate(x, cos, sin, Turn::kForward);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    return {rotate(gradients[0].contiguous(), saved[0], saved[1], Turn::kBack),
            at::Tensor(),
            at::Tensor()};
  }
};

}  // namespace

at::Tensor inverse_frequencies(const ModelConfig& config) {
  const at::Tensor exponents =
      at::arange(0, config.head_dim, 2, at::kFloat) / static_cast<double>(config.head_dim);
  at::Tensor frequencies = 1.0 / at::pow(at::Scalar(config.rope_theta), exponents);
  switch (config.rope_scaling.type) {
    case RopeScaling::Type::kDefault:
      break;
    case RopeScaling::Type::kLinear:
      return frequencies / config.rope_scaling.factor;
    case RopeScaling::Type::kLlama3:
      return scale_as_llama3(frequencies, config.rope_scaling);
  }
  return frequencies;
}

RotaryTable rotary_table(const ModelConfig& config,
                         const at::Tensor& position_ids,
                         at::ScalarType dtype) {
  const at::Tensor frequencies = inverse_frequencies(config).to(position_ids.device());
  const at::Tensor angles = position_ids.to(at::kFloat).unsqueeze(-1) * frequencies;
  return {.cos = angles.cos().to(dtype).unsqueeze(2), .sin = angles.sin().to(dtype).unsqueeze(2)};
}

at::Tensor apply_rotary(const at::Tensor& x, const RotaryTable& table) {
  if (!has_kernel(x)) {
    const auto halves = x.chunk(2, /*dim=*/-1);
    const at::Tensor& real = halves[0];
    const at::Tensor& imaginary = halves[1];
    return at::cat(
        {real * table.cos - imaginary * table.sin, imaginary * table.cos + real * table.sin},
        /*dim=*/-1);
  }
  if (at::GradMode::is_enabled() && x.requires_grad()) {
    return Rotary::apply(x.contiguous(), table.cos, table.sin);
  }
  return rotate(x.contiguous(), table.cos, table.sin, Turn::kForward);
}

}  // namespace slayer
