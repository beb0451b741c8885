#include "slayer/model/int8_linear.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cmath>
#include <optional>
#include <string_view>

namespace slayer {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

using Pointwise = at::Tensor(at::Tensor x,
                             at::Tensor x_scale,
                             at::Tensor x_zero_point,
                             at::Tensor weight,
                             at::Tensor weight_scales,
                             at::Tensor weight_zero_points,
                             std::optional<at::Tensor> bias,
                             double output_scale,
                             int64_t output_zero_point,
                             std::optional<c10::ScalarType> output_dtype,
                             std::string_view activation,
                             c10::List<std::optional<at::Scalar>> scalars,
                             std::string_view algorithm);

std::optional<c10::OperatorHandle> find_prepack() {
  return c10::Dispatcher::singleton().findSchema({"onednn::qlinear_prepack", ""});
}

std::optional<c10::OperatorHandle> find_pointwise() {
  return c10::Dispatcher::singleton().findSchema({"onednn::qlinear_pointwise", "tensor"});
}

at::Tensor prepack(const at::Tensor& weight) {
  torch::jit::Stack stack{weight, /*x_shape=*/c10::IValue()};
  find_prepack()->callBoxed(stack);
  return stack.front().toTensor();
}

constexpr int64_t kRowsAtOnce = 16;  // For one thread: a few times what waking it costs.

float largest_magnitude(const float* values, int64_t size) {
  constexpr int64_t kLanes = 16;  // Lanes, so that the loop becomes SIMD on any processor.
  std::array<float, kLanes> lanes{};
  for (int64_t i = 0; i < size; ++i) {
    float& lane = lanes[static_cast<size_t>(i % kLanes)];
    const float magnitude = std::abs(values[i]);
    lane = magnitude > lane ? magnitude : lane;
  }
  return *std::ranges::max_element(lanes);
}

/// To the nearest, ties to even.
void round_to_int8(const float* values, int64_t size, float factor, int8_t* rounded) {
  constexpr float kRound = 0x1.8p23F;  // Adding it leaves the nearest integer in the low bits.
  for (int64_t i = 0; i < size; ++i) {
    rounded[i] = static_cast<int8_t>(std::bit_cast<int32_t>(values[i] * factor + kRound));
  }
}

struct QuantizedRows {
  at::Tensor values;  ///< [rows, size] int8
  at::Tensor scales;  ///< [rows] float32
};

/// @param x [rows, size] float32, contiguous.
QuantizedRows quantize_rows(const at::Tensor& x) {
  const int64_t size = x.size(1);
  QuantizedRows result{.values = at::empty(x.sizes(), x.options().dtype(at::kChar)),
                       .scales = at::empty({x.size(0)}, x.options())};
  const float* const xs = x.const_data_ptr<float>();
  int8_t* const values = result.values.mutable_data_ptr<int8_t>();
  float* const scales = result.scales.mutable_data_ptr<float>();
  at::parallel_for(0, x.size(0), kRowsAtOnce, [=](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float largest = largest_magnitude(xs + row * size, size);
      scales[row] = largest / 127.0F;
      const float factor = largest > 0.0F ? 127.0F / largest : 0.0F;
      round_to_int8(xs + row * size, size, factor, values + row * size);
    }
  });
  return result;
}

void scale_rows(at::Tensor& y, const at::Tensor& scales) {
  const int64_t size = y.size(1);
  float* const ys = y.mutable_data_ptr<float>();
  const float* const factors = scales.const_data_ptr<float>();
  at::parallel_for(0, y.size(0), kRowsAtOnce, [=](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      for (int64_t i = 0; i < size; ++i) {
        ys[row * size + i] *= factors[row];
      }
    }
  });
}

/// @param x [..., in]; @return [..., out]
at::Tensor product(const at::Tensor& x, const at::Tensor& packed, const at::Tensor& scales) {
  const QuantizedRows rows = quantize_rows(x.contiguous().flatten(0, -2));
  static const at::Tensor one = at::ones({1}, at::kFloat);
  static const at::Tensor zero = at::zeros({1}, at::kInt);
  static const auto pointwise = find_pointwise()->typed<Pointwise>();
  at::Tensor y = pointwise.call(rows.values,
                                            one,
                                            zero,
                                            packed,
                                            scales,
                                            at::zeros({scales.size(0)}, at::kInt),
                                            std::nullopt,
                                            1.0,
                                            0,
                                            at::kFloat,
                                            "none",
                                            c10::List<std::optional<at::Scalar>>(),
                                            "");
  scale_rows(y, rows.scales);
  // Not a view for autograd, which would forbid adding into it.
  at::DimVector sizes(x.sizes().begin(), x.sizes().end());
  sizes.back() = y.size(1);
  return at::_unsafe_view(y, sizes);
}

class Int8Linear final : public torch::autograd::Function<Int8Linear> {
 public:
  static at::Tensor forward(AutogradContext* context,
                            const at::Tensor& x,
                            const at::Tensor& packed,
                            const at::Tensor& scales,
                            const at::Tensor& packed_back,
                            const at::Tensor& scales_back) {
    context->saved_data["packed"] = packed_back;  // Opaque: save_for_backward wants storage.
    context->save_for_backward({scales_back});
    return product(x, packed, scales);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const at::Tensor packed = context->saved_data["packed"].toTensor();
    return {product(gradients[0], packed, context->get_saved_variables()[0]),
            at::Tensor(),
            at::Tensor(),
            at::Tensor(),
            at::Tensor()};
  }
};

}  // namespace

bool has_int8_linear() { return find_prepack() && find_pointwise(); }

Int8Weight quantize_weight(const at::Tensor& weight) {
  assert(has_int8_linear() && weight.is_cpu() && weight.scalar_type() == at::kFloat);
  const QuantizedRows rows = quantize_rows(weight.contiguous());
  const QuantizedRows columns = quantize_rows(weight.t().contiguous());
  return {.forward = prepack(rows.values),
          .forward_scales = rows.scales,
          .backward = prepack(columns.values),
          .backward_scales = columns.scales};
}

at::Tensor apply_linear(const at::Tensor& x, const Int8Weight& weight, const at::Tensor& bias) {
  at::Tensor y;
  if (at::GradMode::is_enabled() && x.requires_grad()) {
    y = Int8Linear::apply(
        x, weight.forward, weight.forward_scales, weight.backward, weight.backward_scales);
  } else {
    y = product(x, weight.forward, weight.forward_scales);
  }
  return bias.defined() ? y.add_(bias) : y;
}

}  // namespace slayer
