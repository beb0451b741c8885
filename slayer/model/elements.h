#pragma once

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cstdint>

namespace slayer {

/// Whether this module's own kernels run on x: float32 or bfloat16 on the CPU. They compute in
/// float32 and round once.
inline bool has_kernel(const at::Tensor& x) {
  return x.is_cpu() && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16);
}

/// run(T{}) for the type of the elements of an x that has_kernel.
template <class Run>
auto with_element_type(const at::Tensor& x, Run run) {
  return x.scalar_type() == at::kBFloat16 ? run(at::BFloat16{}) : run(float{});
}

/// `count` elements as float32: where they lie, or converted into the buffer.
inline const float* as_floats(const float* x, int64_t /*count*/, float* /*buffer*/) { return x; }
inline const float* as_floats(const at::BFloat16* x, int64_t count, float* buffer) {
  std::copy(x, x + count, buffer);
  return buffer;
}

/// Where float32 results are written on their way to y: there at once, or into the buffer, which
/// `round_into` then takes them from.
inline float* staged(float* y, float* /*buffer*/) { return y; }
inline float* staged(at::BFloat16* /*y*/, float* buffer) { return buffer; }
inline void round_into(float* /*y*/, int64_t /*count*/, const float* /*buffer*/) {}
inline void round_into(at::BFloat16* y, int64_t count, const float* buffer) {
  std::copy(buffer, buffer + count, y);
}

}  // namespace slayer
