#include "slayer/checkpoint/ggml_type.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <fmt/format.h>

namespace slayer {
namespace {

constexpr std::array kLayouts{
    GgmlLayout{GgmlType::kF32, "F32", 1, 4},
    GgmlLayout{GgmlType::kF16, "F16", 1, 2},
    GgmlLayout{GgmlType::kBF16, "BF16", 1, 2},
    GgmlLayout{GgmlType::kQ4_0, "Q4_0", 32, 18},
    GgmlLayout{GgmlType::kQ4_1, "Q4_1", 32, 20},
    GgmlLayout{GgmlType::kQ5_0, "Q5_0", 32, 22},
    GgmlLayout{GgmlType::kQ5_1, "Q5_1", 32, 24},
    GgmlLayout{GgmlType::kQ8_0, "Q8_0", 32, 34},
    GgmlLayout{GgmlType::kQ4K, "Q4_K", 256, 144},
    GgmlLayout{GgmlType::kQ5K, "Q5_K", 256, 176},
    GgmlLayout{GgmlType::kQ6K, "Q6_K", 256, 210},
};

/// Types that slayer does not read, so that a message can name them.
constexpr std::array<std::pair<uint32_t, std::string_view>, 22> kOtherNames{{
    {9, "Q8_1"},     {10, "Q2_K"},  {11, "Q3_K"},   {15, "Q8_K"},  {16, "IQ2_XXS"}, {17, "IQ2_XS"},
    {18, "IQ3_XXS"}, {19, "IQ1_S"}, {20, "IQ4_NL"}, {21, "IQ3_S"}, {22, "IQ2_S"},   {23, "IQ4_XS"},
    {24, "I8"},      {25, "I16"},   {26, "I32"},    {27, "I64"},   {28, "F64"},     {29, "IQ1_M"},
    {34, "TQ1_0"},   {35, "TQ2_0"}, {39, "MXFP4"},  {40, "NVFP4"},
}};

}  // namespace

const GgmlLayout& layout_of(GgmlType type) {
  const auto layout = std::ranges::find(kLayouts, type, &GgmlLayout::type);
  assert(layout != kLayouts.end());
  return *layout;
}

std::optional<GgmlType> ggml_type_from_number(uint32_t number) {
  const auto layout = std::ranges::find(
      kLayouts, number, [](const GgmlLayout& each) { return static_cast<uint32_t>(each.type); });
  return layout == kLayouts.end() ? std::nullopt : std::optional(layout->type);
}

std::string ggml_type_name(uint32_t number) {
  if (const auto type = ggml_type_from_number(number)) {
    return std::string(layout_of(*type).name);
  }
  const auto* const other =
      std::ranges::find(kOtherNames, number, &std::pair<uint32_t, std::string_view>::first);
  return other == kOtherNames.end() ? fmt::format("type {}", number) : std::string(other->second);
}

std::string supported_ggml_types() {
  std::string names;
  for (const GgmlLayout& layout : kLayouts) {
    names += names.empty() ? "" : ", ";
    names += layout.name;
  }
  return names;
}

}  // namespace slayer
