#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace slayer {

/// Element types of GGUF tensors that slayer reads, by the format's own numbers.
/// Source: GGUF specification, enum ggml_type.
enum class GgmlType : uint32_t {
  // NOLINTBEGIN(readability-identifier-naming): the underscore is part of the types' names.
  kF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,
  kQ4_1 = 3,
  kQ5_0 = 6,
  kQ5_1 = 7,
  kQ8_0 = 8,
  kQ4K = 12,
  kQ5K = 13,
  kQ6K = 14,
  kBF16 = 30
  // NOLINTEND(readability-identifier-naming)
};

/// How a type lies in a file: blocks of `block_elements` neighbours in a row, each
/// `block_bytes` long.
struct GgmlLayout {
  GgmlType type;
  std::string_view name;  ///< "Q4_1", as tools print it.
  int64_t block_elements;
  int64_t block_bytes;
};

const GgmlLayout& layout_of(GgmlType type);

/// The type with this number in a file; nothing when slayer does not read it.
std::optional<GgmlType> ggml_type_from_number(uint32_t number);

/// The name of any type of the format, e.g. "IQ2_XXS"; "type 99" for a number it does not know.
std::string ggml_type_name(uint32_t number);

/// "F32, F16, Q4_0, ...": for error messages.
std::string supported_ggml_types();

}  // namespace slayer
