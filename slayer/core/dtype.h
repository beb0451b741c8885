#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace slayer {

/// Element types that a checkpoint stores, by safetensors' names.
enum class Dtype : uint8_t {
  kF64,
  kF32,
  kF16,
  kBF16,
  kF8E4M3,
  kF8E5M2,
  kI64,
  kI32,
  kI16,
  kI8,
  kU64,
  kU32,
  kU16,
  kU8,
  kBool
};

/// Bytes of one element.
int64_t size_in_bytes(Dtype dtype);

/// safetensors' name: "F32", "BF16", "F8_E4M3", ...
std::string_view safetensors_name(Dtype dtype);

/// config.json's and the command line's name: "float32", "bfloat16", "float16", ...
std::string_view torch_name(Dtype dtype);

/// @throws Error without a file when no dtype has that name.
Dtype dtype_from_safetensors_name(std::string_view name);
Dtype dtype_from_torch_name(std::string_view name);

/// F64, F32, F16 or BF16: what surgery can average and the model can load.
bool is_float(Dtype dtype);

/// Exact widening and round-to-nearest-even narrowing (NaN stays NaN).
float float_from_bfloat16(uint16_t bits);
uint16_t bfloat16_from_float(float value);
float float_from_float16(uint16_t bits);
uint16_t float16_from_float(float value);

/// Converts stored elements of a float dtype to float32. `stored.size()` is the element count
/// times the element size; it need not be aligned.
void widen_to_float(Dtype dtype, std::span<const std::byte> stored, std::span<float> values);

/// Converts float32 to a stored float dtype, rounding to nearest even.
void narrow_from_float(Dtype dtype, std::span<const float> values, std::span<std::byte> stored);

}  // namespace slayer
