#include "slayer/model/matrix_product.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

namespace slayer {
namespace {

bool has_products_of([[maybe_unused]] at::ScalarType type) {
#ifdef __x86_64__
  if (type == at::kBFloat16) {
    return __builtin_cpu_supports("avx512bw") != 0;  // oneDNN converts where there is no more.
  }
  if (type == at::kHalf) {
    return __builtin_cpu_supports("avx512fp16") != 0;
  }
#endif
  return true;
}

at::Tensor product(const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias) {
  return bias.defined() ? at::addmm(bias, a, b) : at::mm(a, b);
}

}  // namespace

at::Tensor matrix_product_in_float32(const at::Tensor& a,
                                     const at::Tensor& b,
                                     at::ScalarType type,
                                     const at::Tensor& bias) {
  const at::NoGradGuard no_graph;
  // Of b, some columns at a time: they are to stay in the cache, and a large model's head would
  // take a gigabyte.
  constexpr int64_t kElementsAtOnce = int64_t{1} << 20U;
  const int64_t step = std::max<int64_t>(kElementsAtOnce / std::max<int64_t>(b.size(0), 1), 1);
  const at::Tensor wide = a.to(at::kFloat);
  const at::Tensor result = at::empty({a.size(0), b.size(1)}, a.options().dtype(type));
  for (int64_t begin = 0; begin < b.size(1); begin += step) {
    const int64_t end = std::min(begin + step, b.size(1));
    result.slice(1, begin, end)
        .copy_(product(wide,
                       b.slice(1, begin, end).to(at::kFloat),
                       bias.defined() ? bias.slice(0, begin, end).to(at::kFloat) : bias));
  }
  return result;
}

at::Tensor matrix_product(const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias) {
  const at::NoGradGuard no_graph;
  // A single row is read once either way.
  const bool is_widened = a.is_cpu() && a.size(0) > 1 && !has_products_of(a.scalar_type());
  return is_widened ? matrix_product_in_float32(a, b, a.scalar_type(), bias) : product(a, b, bias);
}

}  // namespace slayer
