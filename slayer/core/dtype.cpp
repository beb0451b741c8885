#include "slayer/core/dtype.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cmath>
#include <cstring>
#include <fmt/format.h>

#include "slayer/core/error.h"

namespace slayer {
namespace {

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

float float_from_bfloat16(uint16_t bits) { return std::bit_cast<float>(uint32_t{bits} << 16U); }

uint16_t bfloat16_from_float(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  // NaN: rounding could carry into infinity, so set the quiet bit instead.
  const uint32_t quiet_nan = (bits >> 16U) | 0x40U;
  const uint32_t rounded = (bits + 0x7fffU + ((bits >> 16U) & 1U)) >> 16U;
  return static_cast<uint16_t>(std::isnan(value) ? quiet_nan : rounded);
}

float float_from_float16(uint16_t bits) {
  return static_cast<float>(std::bit_cast<_Float16>(bits));
}

uint16_t float16_from_float(float value) {
  return std::bit_cast<uint16_t>(static_cast<_Float16>(value));
}

void widen_to_float(Dtype dtype, std::span<const std::byte> stored, std::span<float> values) {
  switch (dtype) {
    case Dtype::kF64:
      return widen_each<double>(stored, values, [](double x) { return static_cast<float>(x); });
    case Dtype::kF32:
      return widen_each<float>(stored, values, [](float x) { return x; });
    case Dtype::kF16:
      return widen_each<uint16_t>(stored, values, float_from_float16);
    case Dtype::kBF16:
      return widen_each<uint16_t>(stored, values, float_from_bfloat16);
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
      return narrow_each<uint16_t>(values, stored, float16_from_float);
    case Dtype::kBF16:
      return narrow_each<uint16_t>(values, stored, bfloat16_from_float);
    default:
      assert(false && "narrow_from_float takes float dtypes");
  }
}

}  // namespace slayer
