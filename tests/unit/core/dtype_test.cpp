#include "slayer/core/dtype.h"

#include <array>
#include <bit>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <vector>

#include "slayer/core/error.h"

namespace slayer {
namespace {

constexpr std::array kAll{Dtype::kF64,
                          Dtype::kF32,
                          Dtype::kF16,
                          Dtype::kBF16,
                          Dtype::kF8E4M3,
                          Dtype::kF8E5M2,
                          Dtype::kI64,
                          Dtype::kI32,
                          Dtype::kI16,
                          Dtype::kI8,
                          Dtype::kU64,
                          Dtype::kU32,
                          Dtype::kU16,
                          Dtype::kU8,
                          Dtype::kBool};

TEST(Dtype, NamesGoBothWays) {
  for (const Dtype dtype : kAll) {
    EXPECT_EQ(dtype_from_safetensors_name(safetensors_name(dtype)), dtype);
    EXPECT_EQ(dtype_from_torch_name(torch_name(dtype)), dtype);
    EXPECT_GE(size_in_bytes(dtype), 1);
  }
}

TEST(Dtype, RefusesUnknownNames) {
  try {
    dtype_from_safetensors_name("F4\n");
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "dtype: found F4\\x0a, expected a safetensors dtype such as F32 or BF16");
  }
  EXPECT_THROW(dtype_from_torch_name("bf16"), Error);
}

TEST(Bfloat16, RoundsToNearestEven) {
  EXPECT_EQ(bfloat16_from_float(1.0F), 0x3f80);
  // Halfway between 0x3f80 and 0x3f81 goes to the even one, just above it goes up.
  EXPECT_EQ(bfloat16_from_float(std::bit_cast<float>(0x3f808000U)), 0x3f80);
  EXPECT_EQ(bfloat16_from_float(std::bit_cast<float>(0x3f808001U)), 0x3f81);
  EXPECT_EQ(bfloat16_from_float(std::bit_cast<float>(0x3f818000U)), 0x3f82);
  EXPECT_EQ(bfloat16_from_float(-0.0F), 0x8000);
}

TEST(Bfloat16, KeepsNanAndInfinity) {
  EXPECT_TRUE(
      std::isnan(float_from_bfloat16(bfloat16_from_float(std::bit_cast<float>(0x7f800001U)))));
  EXPECT_EQ(float_from_bfloat16(bfloat16_from_float(std::numeric_limits<float>::infinity())),
            std::numeric_limits<float>::infinity());
  EXPECT_EQ(float_from_bfloat16(bfloat16_from_float(std::numeric_limits<float>::max())),
            std::numeric_limits<float>::infinity());
}

/// The compiler's own half type, by which the conversions are judged.
uint16_t half_bits(float value) { return std::bit_cast<uint16_t>(static_cast<_Float16>(value)); }

TEST(Float16, ConvertsAsTheCompilersHalfDoes) {
  for (uint32_t bits = 0; bits < (1U << 16U); ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const auto expected = static_cast<float>(std::bit_cast<_Float16>(half));
    const float value = float_from_float16(half);
    ASSERT_TRUE(std::isnan(expected)
                    ? std::isnan(value)
                    : std::bit_cast<uint32_t>(value) == std::bit_cast<uint32_t>(expected))
        << bits;
  }
  // Every 4,099th float, and those around each half, where rounding decides.
  const auto check = [](uint32_t bits) {
    const auto value = std::bit_cast<float>(bits);
    const uint16_t half = float16_from_float(value);
    ASSERT_TRUE(std::isnan(value) ? std::isnan(float_from_float16(half)) : half == half_bits(value))
        << bits;
  };
  for (uint64_t bits = 0; bits <= UINT32_MAX; bits += 4099) {
    check(static_cast<uint32_t>(bits));
  }
  for (uint32_t half = 0; half < (1U << 16U); ++half) {
    const auto exact = std::bit_cast<uint32_t>(float_from_float16(static_cast<uint16_t>(half)));
    for (const uint32_t half_step : {0U, 0xfffU, 0x1000U, 0x1001U}) {
      check(exact + half_step);
    }
  }
}

TEST(Dtype, EveryStoredValueSurvivesWideningAndNarrowing) {
  for (const Dtype dtype : {Dtype::kBF16, Dtype::kF16}) {
    SCOPED_TRACE(safetensors_name(dtype));
    std::vector<uint16_t> stored(1U << 16U);
    for (size_t bits = 0; bits < stored.size(); ++bits) {
      stored[bits] = static_cast<uint16_t>(bits);
    }
    std::vector<float> values(stored.size());
    widen_to_float(dtype, std::as_bytes(std::span(stored)), values);
    std::vector<uint16_t> back(stored.size());
    narrow_from_float(dtype, values, std::as_writable_bytes(std::span(back)));
    for (size_t index = 0; index < stored.size(); ++index) {
      if (!std::isnan(values[index])) {
        ASSERT_EQ(back[index], stored[index]);
      }
    }
  }
}

}  // namespace
}  // namespace slayer
