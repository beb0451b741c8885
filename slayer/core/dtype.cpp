#include "slayer/core/dtype.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstring>
#include <fmt/format.h>

#include "slayer/core/error.h"

namespace slayer {
namespace {

constexpr uint32_t kMagnitude = 0x7fffffffU;  // All but the sign of a float.
constexpr uint32_t kInfinity = 0x7f800000U;

struct DtypeEntry {
  Dtype dtype;
  std::string_view safetensors_name;
  std::string_view torch_name;
  int64_t size;
};

constexpr std::array kDtypes{
    DtypeEntry{Dtype::kF64, "F64", "float64", 8},
    DtypeEntry{Dtype::kF32, "F32", "float32", 4},
    DtypeEntry{Dtype::kF16, "F16", "float16", 2},
    DtypeEntry{Dtype::kBF16, "BF16", "bfloat16", 2},
    DtypeEntry{Dtype::kF8E4M3, "F8_E4M3", "float8_e4m3fn", 1},
    DtypeEntry{Dtype::kF8E5M2, "F8_E5M2", "float8_e5m2", 1},
    DtypeEntry{Dtype::kI64, "I64", "int64", 8},
    DtypeEntry{Dtype::kI32, "I32", "int32", 4},
    DtypeEntry{Dtype::kI16, "I16", "int16", 2},
    DtypeEntry{Dtype::kI8, "I8", "int8", 1},
    DtypeEntry{Dtype::kU64, "U64", "uint64", 8},
    DtypeEntry{Dtype::kU32, "U32", "uint32", 4},
    DtypeEntry{Dtype::kU16, "U16", "uint16", 2},
    DtypeEntry{Dtype::kU8, "U8", "uint8", 1},
    DtypeEntry{Dtype::kBool, "BOOL", "bool", 1},
};

const DtypeEntry& entry_of(Dtype dtype) {
  const auto entry = std::ranges::find(kDtypes, dtype, &DtypeEntry::dtype);
  assert(entry != kDtypes.end());
  return *entry;
}

// The conversions select rather than branch, and are lambdas, which -fPIC does not keep from being
// inlined: the loops below become SIMD on any processor.
constexpr auto kFloatFromBfloat16 = [](uint16_t bits) {
  return std::bit_cast<float>(uint32_t{bits} << 16U);
};

constexpr auto kBfloat16FromFloat = [](float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  // NaN: rounding could carry into infinity, so set the quiet bit instead.
  const uint32_t quiet_nan = (bits >> 16U) | 0x40U;
  const uint32_t rounded = (bits + 0x7fffU + ((bits >> 16U) & 1U)) >> 16U;
  return static_cast<uint16_t>((bits & kMagnitude) > kInfinity ? quiet_nan : rounded);
};

constexpr auto kFloatFromFloat16 = [](uint16_t bits) {
  const uint32_t magnitude = (uint32_t{bits} & 0x7fffU) << 13U;
  // The product moves the exponent's bias from 15 to 127, exactly, subnormals too.
  const auto finite = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) * 0x1p112F);
  const uint32_t widened = magnitude >= 0x1fU << 23U ? magnitude | kInfinity : finite;
  return std::bit_cast<float>(widened | (uint32_t{bits} & 0x8000U) << 16U);
};

constexpr auto kFloat16FromFloat = [](float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const uint32_t magnitude = bits & kMagnitude;
  const uint32_t normal =
      (magnitude + 0xfffU + ((magnitude >> 13U) & 1U) - (uint32_t{127 - 15} << 23U)) >> 13U;
  // Beside 0.5 the last bit of a float weighs 2^-24, a half's smallest: the sum rounds.
  const uint32_t subnormal = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5F) -
                             std::bit_cast<uint32_t>(0.5F);
  const uint32_t finite = magnitude < std::bit_cast<uint32_t>(0x1p-14F) ? subnormal : normal;
  const uint32_t special = magnitude > kInfinity ? 0x7e00U : 0x7c00U;
  const uint32_t narrowed = magnitude >= std::bit_cast<uint32_t>(0x1p16F) ? special : finite;
  return static_cast<uint16_t>(narrowed | ((bits >> 16U) & 0x8000U));
};

template <class Stored, class Convert>
void widen_each(std::span<const std::byte> stored, std::span<float> values, Convert convert) {
  assert(stored.size() == values.size() * sizeof(Stored));
  for (size_t index = 0; index < values.size(); ++index) {
    Stored element;
    std::memcpy(&element, stored.data() + index * sizeof(Stored), sizeof(Stored));
    values[index] = convert(element);
  }
}

template <class Stored, class Convert>
void narrow_each(std::span<const float> values, std::span<std::byte> stored, Convert convert) {
  assert(stored.size() == values.size() * sizeof(Stored));
  for (size_t index = 0; index < values.size(); ++index) {
    const Stored element = convert(values[index]);
    std::memcpy(stored.data() + index * sizeof(Stored), &element, sizeof(Stored));
  }
}

}  // namespace

int64_t size_in_bytes(Dtype dtype) { return entry_of(dtype).size; }

std::string_view safetensors_name(Dtype dtype) { return entry_of(dtype).safetensors_name; }

std::string_view torch_name(Dtype dtype) { return entry_of(dtype).torch_name; }

Dtype dtype_from_safetensors_name(std::string_view name) {
  const auto entry = std::ranges::find(kDtypes, name, &DtypeEntry::safetensors_name);
  if (entry == kDtypes.end()) {
    throw Error({.item = "dtype",
                 .found = printable(name),
                 .expected = "a safetensors dtype such as F32 or BF16"});
  }
  return entry->dtype;
}

Dtype dtype_from_torch_name(std::string_view name) {
  const auto entry = std::ranges::find(kDtypes, name, &DtypeEntry::torch_name);
  if (entry == kDtypes.end()) {
    throw Error(
        {.item = "dtype", .found = printable(name), .expected = "float32, bfloat16 or float16"});
  }
  return entry->dtype;
}

bool is_float(Dtype dtype) {
  return dtype == Dtype::kF64 || dtype == Dtype::kF32 || dtype == Dtype::kF16 ||
         dtype == Dtype::kBF16;
}

float float_from_bfloat16(uint16_t bits) { return kFloatFromBfloat16(bits); }

uint16_t bfloat16_from_float(float value) { return kBfloat16FromFloat(value); }

float float_from_float16(uint16_t bits) { return kFloatFromFloat16(bits); }

uint16_t float16_from_float(float value) { return kFloat16FromFloat(value); }

void widen_to_float(Dtype dtype, std::span<const std::byte> stored, std::span<float> values) {
  switch (dtype) {
    case Dtype::kF64:
      return widen_each<double>(stored, values, [](double x) { return static_cast<float>(x); });
    case Dtype::kF32:
      return widen_each<float>(stored, values, [](float x) { return x; });
    case Dtype::kF16:
      return widen_each<uint16_t>(stored, values, kFloatFromFloat16);
    case Dtype::kBF16:
      return widen_each<uint16_t>(stored, values, kFloatFromBfloat16);
    default:
      assert(false && "widen_to_float takes float dtypes");
  }
}

void narrow_from_float(Dtype dtype, std::span<const float> values, std::span<std::byte> stored) {
  switch (dtype) {
    case Dtype::kF64:
      return narrow_each<double>(values, stored, [](float x) { return double{x}; });
    case Dtype::kF32:
      return narrow_each<float>(values, stored, [](float x) { return x; });
    case Dtype::kF16:
      return narrow_each<uint16_t>(values, stored, kFloat16FromFloat);
    case Dtype::kBF16:
      return narrow_each<uint16_t>(values, stored, kBfloat16FromFloat);
    default:
      assert(false && "narrow_from_float takes float dtypes");
  }
}

}  // namespace slayer
