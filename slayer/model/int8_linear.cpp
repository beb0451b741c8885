#include "slayer/model/int8_linear.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cfloat>
#include <optional>

#include "slayer/model/matrix_product.h"

namespace slayer {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr float kLevels = 127.0F;
constexpr int64_t kRowsAtOnce =
    16;  // Of what is quantised: a few times what waking a thread costs.
// Rows that are multiplied at once: within 3 % of full speed, while the int32 sums of a layer of
// 2,048 outputs stay in a core's second-level cache until they are scaled.
constexpr int64_t kBlock = 128;

/// Levels of a weight on each side of zero. Without VNNI, oneDNN adds pairs of products in 16 bits:
/// 2 * 255 * 64 still fits.
/// Source: oneDNN's developer guide, "Nuances of int8 Computations".
float weight_levels() {
#ifdef __x86_64__
  return __builtin_cpu_supports("avx512vnni") ? kLevels : 63.0F;
#else
  return kLevels;
#endif
}

/// Whether oneDNN has products of bytes for this processor; its loops for others take twenty times
/// as long as products in float32.
bool has_products_of_bytes() {
#ifdef __x86_64__
  return __builtin_cpu_supports("avx512bw") != 0 || __builtin_cpu_supports("avxvnni") != 0;
#else
  return true;
#endif
}

/// Rounds a row to multiples of the scale that it returns: its largest magnitude / levels. That
/// scale is not finite where a number is not, and then `values` mean nothing.
#ifdef __x86_64__
[[gnu::target_clones("avx512f", "avx2", "default")]]
#endif
float quantize_row(const float* row, int64_t size, float levels, int8_t* values) {
  uint32_t largest = 0;  // Magnitudes in the order of their bits, in which NaN comes last.
  for (int64_t i = 0; i < size; ++i) {
    largest = std::max(largest, std::bit_cast<uint32_t>(row[i]) & 0x7FFFFFFFU);
  }
  const float scale = std::bit_cast<float>(largest) / levels;
  const float inverse = scale >= FLT_MIN ? 1.0F / scale : 0.0F;
  constexpr float kRound = 0x1.8p23F;  // Adding it leaves the nearest integer in the low bits.
  for (int64_t i = 0; i < size; ++i) {
    values[i] = static_cast<int8_t>(std::bit_cast<uint32_t>(row[i] * inverse + kRound));
  }
  return scale;
}

/// y = row_scale * scales * sums + bias; `bias` may be null.
#ifdef __x86_64__
[[gnu::target_clones("avx512f", "avx2", "default")]]
#endif
void scale_row(const int32_t* sums,
               float row_scale,
               const float* scales,
               const float* bias,
               int64_t size,
               float* y) {
  for (int64_t i = 0; i < size; ++i) {
    y[i] = static_cast<float>(sums[i]) * (row_scale * scales[i]);
  }
  for (int64_t i = 0; bias != nullptr && i < size; ++i) {
    y[i] += bias[i];
  }
}

Int8Matrix quantize(const at::Tensor& matrix, float levels) {
  const at::Tensor rows = matrix.contiguous();
  const int64_t size = rows.size(1);
  Int8Matrix result{.values = at::empty(rows.sizes(), at::kChar),
                    .scales = at::empty({rows.size(0)}, at::kFloat)};
  const float* const from = rows.const_data_ptr<float>();
  int8_t* const to = result.values.mutable_data_ptr<int8_t>();
  float* const scales = result.scales.mutable_data_ptr<float>();
  at::parallel_for(0, rows.size(0), kRowsAtOnce, [=](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      scales[row] = quantize_row(from + row * size, size, levels, to + row * size);
    }
  });
  return result;
}

/// Multiplies blocks of rows by the transposed matrix, in buffers of one thread's own.
class BlockProduct final {
 public:
  explicit BlockProduct(const Int8Matrix& matrix)
      : matrix_(matrix),
        transposed_(matrix.values.t()),
        values_(at::empty({kBlock, matrix.values.size(1)}, at::kChar)),
        sums_(at::empty({kBlock, matrix.values.size(0)}, at::kInt)) {}

  /// @param x [rows, in], `y` [rows, out], of at most kBlock rows; `bias` may be null.
  void run(const float* x, int64_t rows, const float* bias, float* y) {
    const int64_t in = values_.size(1);
    const int64_t out = sums_.size(1);
    auto* const values = values_.mutable_data_ptr<int8_t>();
    for (int64_t row = 0; row < rows; ++row) {
      scales_[static_cast<size_t>(row)] =
          quantize_row(x + row * in, in, kLevels, values + row * in);
    }
    at::Tensor sums = sums_.narrow(0, 0, rows);
    at::_int_mm_out(sums, values_.narrow(0, 0, rows), transposed_);
    const auto* const sum = sums.const_data_ptr<int32_t>();
    const auto* const scales = matrix_.scales.const_data_ptr<float>();
    for (int64_t row = 0; row < rows; ++row) {
      const float scale = scales_[static_cast<size_t>(row)];
      scale_row(sum + row * out, scale, scales, bias, out, y + row * out);
    }
  }

 private:
  const Int8Matrix& matrix_;
  at::Tensor transposed_;
  at::Tensor values_;  ///< [kBlock, in] int8
  at::Tensor sums_;    ///< [kBlock, out] int32
  std::array<float, kBlock> scales_{};
};

/// The same integers as float32, which adds up to 2^24 exactly: 2,000 products and more.
at::Tensor multiply_as_floats(const at::Tensor& x,
                              const Int8Matrix& matrix,
                              const at::Tensor& bias) {
  const Int8Matrix tokens = quantize(x.flatten(0, -2), kLevels);
  at::Tensor y = matrix_product_in_float32(tokens.values, matrix.values.t(), at::kFloat);
  y.mul_(tokens.scales.unsqueeze(1)).mul_(matrix.scales);
  if (bias.defined()) {
    y.add_(bias);
  }
  at::DimVector sizes(x.sizes().begin(), x.sizes().end());
  sizes.back() = y.size(1);
  return at::_unsafe_view(y, sizes);  // Not a view for autograd, which would forbid adding into it.
}

class Int8Linear final : public torch::autograd::Function<Int8Linear> {
 public:
  static at::Tensor forward(AutogradContext* context,
                            const at::Tensor& x,
                            const Int8Weight& weight,
                            const std::optional<at::Tensor>& bias) {
    context->save_for_backward({weight.transposed.values, weight.transposed.scales});
    return multiply_int8(x, weight.weight, bias.value_or(at::Tensor()));
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const Int8Matrix transposed{.values = saved[0], .scales = saved[1]};
    return {multiply_int8(gradients[0], transposed, {}), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

Int8Matrix quantize_matrix(const at::Tensor& weight) {
  return quantize(weight.detach(), weight_levels());
}

Int8Weight quantize_weight(const at::Tensor& weight) {
  return {.weight = quantize_matrix(weight), .transposed = quantize_matrix(weight.t())};
}

at::Tensor multiply_int8(const at::Tensor& x, const Int8Matrix& matrix, const at::Tensor& bias) {
  const at::NoGradGuard no_graph;
  if (!has_products_of_bytes()) {
    return multiply_as_floats(x, matrix, bias);
  }
  const int64_t in = matrix.values.size(1);
  const int64_t out = matrix.values.size(0);
  const at::Tensor dense = x.contiguous();
  at::DimVector sizes(x.sizes().begin(), x.sizes().end());
  sizes.back() = out;
  at::Tensor y = at::empty(sizes, x.options());
  const int64_t rows = x.numel() / in;
  const float* const xs = dense.const_data_ptr<float>();
  const float* const biases = bias.defined() ? bias.const_data_ptr<float>() : nullptr;
  float* const ys = y.mutable_data_ptr<float>();
  at::parallel_for(0, (rows + kBlock - 1) / kBlock, 1, [&](int64_t begin, int64_t end) {
    BlockProduct product(matrix);
    for (int64_t row = begin * kBlock; row < std::min(end * kBlock, rows); row += kBlock) {
      product.run(xs + row * in, std::min(kBlock, rows - row), biases, ys + row * out);
    }
  });
  return y;
}

at::Tensor apply_int8_linear(const at::Tensor& x,
                             const Int8Weight& weight,
                             const at::Tensor& bias) {
  if (at::GradMode::is_enabled() && x.requires_grad()) {
    return Int8Linear::apply(x, weight, bias.defined() ? std::optional(bias) : std::nullopt);
  }
  return multiply_int8(x, weight.weight, bias);
}

}  // namespace slayer
