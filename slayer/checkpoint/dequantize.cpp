// Compiled without contraction into fused multiply-adds, which would round differently from the
// reference (see CMakeLists.txt).
#include "slayer/checkpoint/dequantize.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cmath>
#include <cstring>

#include "slayer/core/dtype.h"

namespace slayer {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF is read in place");

/// Q4_0 to Q8_0 have blocks of 32, the K types of 256.
constexpr size_t kBlock = 32;
constexpr size_t kSuperBlock = 256;

template <class T>
T load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

float load_half(const std::byte* from) { return float_from_float16(load<uint16_t>(from)); }

/// Low and high four bits of a byte; as int, which vectorises into a float conversion.
int low_bits(std::byte byte) { return std::to_integer<int>(byte) & 0xf; }
int high_bits(std::byte byte) { return std::to_integer<int>(byte) >> 4; }

/// Every function below takes one block and writes its elements.
void dequantize_q4_0(const std::byte* block, float* values) {
  const float scale = load_half(block);
  const std::byte* quants = block + 2;
  for (size_t i = 0; i < kBlock / 2; ++i) {
    values[i] = scale * static_cast<float>(low_bits(quants[i]) - 8);
    values[i + kBlock / 2] = scale * static_cast<float>(high_bits(quants[i]) - 8);
  }
}

void dequantize_q4_1(const std::byte* block, float* values) {
  const float scale = load_half(block);
  const float minimum = load_half(block + 2);
  const std::byte* quants = block + 4;
  for (size_t i = 0; i < kBlock / 2; ++i) {
    values[i] = scale * static_cast<float>(low_bits(quants[i])) + minimum;
    values[i + kBlock / 2] = scale * static_cast<float>(high_bits(quants[i])) + minimum;
  }
}

/// Bit `index` of the fifth bits of a Q5 block, moved to its place.
int fifth_bit(uint32_t bits, size_t index) { return static_cast<int>((bits >> index & 1U) << 4U); }

void dequantize_q5_0(const std::byte* block, float* values) {
  const float scale = load_half(block);
  const auto fifth_bits = load<uint32_t>(block + 2);
  const std::byte* quants = block + 6;
  for (size_t i = 0; i < kBlock / 2; ++i) {
    const int low = low_bits(quants[i]) | fifth_bit(fifth_bits, i);
    const int high = high_bits(quants[i]) | fifth_bit(fifth_bits, i + kBlock / 2);
    values[i] = scale * static_cast<float>(low - 16);
    values[i + kBlock / 2] = scale * static_cast<float>(high - 16);
  }
}

void dequantize_q5_1(const std::byte* block, float* values) {
  const float scale = load_half(block);
  const float minimum = load_half(block + 2);
  const auto fifth_bits = load<uint32_t>(block + 4);
  const std::byte* quants = block + 8;
  for (size_t i = 0; i < kBlock / 2; ++i) {
    const int low = low_bits(quants[i]) | fifth_bit(fifth_bits, i);
    const int high = high_bits(quants[i]) | fifth_bit(fifth_bits, i + kBlock / 2);
    values[i] = scale * static_cast<float>(low) + minimum;
    values[i + kBlock / 2] = scale * static_cast<float>(high) + minimum;
  }
}

void dequantize_q8_0(const std::byte* block, float* values) {
  const float scale = load_half(block);
  const std::byte* quants = block + 2;
  for (size_t i = 0; i < kBlock; ++i) {
    values[i] = static_cast<float>(load<int8_t>(quants + i)) * scale;
  }
}

/// Scale and minimum of one of the eight sub-blocks of Q4_K and Q5_K.
struct SubBlock {
  float scale;
  float minimum;
};

/// Unpacks the 12 bytes that hold eight 6-bit scales and eight 6-bit minima: the first four of
/// each lie in the low 6 bits of bytes 0-3 and 4-7; of the last four, the low 4 bits lie in bytes
/// 8-11 and the high 2 bits on top of bytes 0-7.
std::array<SubBlock, 8> unpack_sub_blocks(const std::byte* block) {
  const float scale = load_half(block);
  const float minimum = load_half(block + 2);
  const std::byte* packed = block + 4;
  const auto byte = [packed](size_t index) { return std::to_integer<unsigned>(packed[index]); };
  std::array<SubBlock, 8> result;
  for (size_t i = 0; i < 4; ++i) {
    const unsigned low_scale = byte(i) & 0x3fU;
    const unsigned low_minimum = byte(i + 4) & 0x3fU;
    const unsigned high_scale = (byte(i + 8) & 0xfU) | (byte(i) >> 2U & 0x30U);
    const unsigned high_minimum = byte(i + 8) >> 4U | (byte(i + 4) >> 2U & 0x30U);
    result[i] = {scale * static_cast<float>(low_scale), minimum * static_cast<float>(low_minimum)};
    result[i + 4] = {scale * static_cast<float>(high_scale),
                     minimum * static_cast<float>(high_minimum)};
  }
  return result;
}

void dequantize_q4_k(const std::byte* block, float* values) {
  const auto sub_blocks = unpack_sub_blocks(block);
  const std::byte* quants = block + 16;
  for (size_t pair = 0; pair < 4; ++pair, quants += 32, values += 64) {
    const SubBlock low = sub_blocks[2 * pair];
    const SubBlock high = sub_blocks[2 * pair + 1];
    for (size_t i = 0; i < 32; ++i) {
      values[i] = low.scale * static_cast<float>(low_bits(quants[i])) - low.minimum;
      values[i + 32] = high.scale * static_cast<float>(high_bits(quants[i])) - high.minimum;
    }
  }
}

void dequantize_q5_k(const std::byte* block, float* values) {
  const auto sub_blocks = unpack_sub_blocks(block);
  const std::byte* fifth_bits = block + 16;
  const std::byte* quants = block + 48;
  for (size_t pair = 0; pair < 4; ++pair, quants += 32, values += 64) {
    const SubBlock low = sub_blocks[2 * pair];
    const SubBlock high = sub_blocks[2 * pair + 1];
    for (size_t i = 0; i < 32; ++i) {
      const auto fifth = std::to_integer<unsigned>(fifth_bits[i]);
      const int low_quant = low_bits(quants[i]) | fifth_bit(fifth, 2 * pair);
      const int high_quant = high_bits(quants[i]) | fifth_bit(fifth, 2 * pair + 1);
      values[i] = low.scale * static_cast<float>(low_quant) - low.minimum;
      values[i + 32] = high.scale * static_cast<float>(high_quant) - high.minimum;
    }
  }
}

/// 16 sub-blocks of 16 with 8-bit scales; quants of 4 + 2 bits.
void dequantize_q6_k(const std::byte* block, float* values) {
  const std::byte* low = block;
  const std::byte* high = block + 128;
  const std::byte* scales = block + 192;
  const float scale = load_half(block + 208);
  for (size_t half = 0; half < 2; ++half, low += 64, high += 32, scales += 8, values += 128) {
    for (size_t quarter = 0; quarter < 4; ++quarter) {
      // Quarters 0 and 1 lie in the low four bits of `low`, 2 and 3 in the high four.
      const std::byte* quants = low + 32 * (quarter % 2);
      const auto shift = static_cast<int>(4 * (quarter / 2));
      const auto high_shift = static_cast<int>(2 * quarter);
      for (size_t i = 0; i < 32; ++i) {
        const int low_quant = std::to_integer<int>(quants[i]) >> shift & 0xf;
        const int high_quant = (std::to_integer<int>(high[i]) >> high_shift & 3) << 4;
        const float sub_scale =
            scale * static_cast<float>(load<int8_t>(scales + 2 * quarter + i / 16));
        values[32 * quarter + i] = sub_scale * static_cast<float>((low_quant | high_quant) - 32);
      }
    }
  }
}

/// Whole blocks straight into `values`, the partial ones at both ends through a small buffer.
template <size_t kElements, class OneBlock>
void dequantize_blocks(std::span<const std::byte> stored,
                       size_t block_bytes,
                       size_t begin,
                       std::span<float> values,
                       OneBlock one_block) {
  std::array<float, kElements> buffer;
  while (!values.empty()) {
    const std::byte* block = stored.data() + begin / kElements * block_bytes;
    const size_t skipped = begin % kElements;
    const size_t count = std::min(kElements - skipped, values.size());
    if (count == kElements) {
      one_block(block, values.data());
    } else {
      one_block(block, buffer.data());
      std::copy_n(buffer.begin() + static_cast<ptrdiff_t>(skipped), count, values.begin());
    }
    begin += count;
    values = values.subspan(count);
  }
}

void quantize_q8_0(std::span<const float> values, std::byte* block) {
  float largest = 0.0F;
  for (const float value : values) {
    largest = std::max(largest, std::abs(value));
  }
  const float scale = largest / 127.0F;
  const float inverse = scale == 0.0F ? 0.0F : 1.0F / scale;
  const uint16_t stored_scale = float16_from_float(scale);
  std::memcpy(block, &stored_scale, sizeof(stored_scale));
  for (size_t i = 0; i < values.size(); ++i) {
    block[2 + i] = static_cast<std::byte>(static_cast<int8_t>(std::round(values[i] * inverse)));
  }
}

}  // namespace

void dequantize(GgmlType type,
                std::span<const std::byte> stored,
                int64_t begin,
                std::span<float> values) {
  const GgmlLayout& layout = layout_of(type);
  const auto first = static_cast<size_t>(begin);
  const auto block_bytes = static_cast<size_t>(layout.block_bytes);
  assert((first + values.size() + static_cast<size_t>(layout.block_elements) - 1) /
             static_cast<size_t>(layout.block_elements) * block_bytes <=
         stored.size() + (values.empty() ? block_bytes : 0));
  const auto widen = [&](Dtype dtype) {
    widen_to_float(dtype, stored.subspan(first * block_bytes, values.size() * block_bytes), values);
  };
  const auto small = [&](auto one_block) {
    dequantize_blocks<kBlock>(stored, block_bytes, first, values, one_block);
  };
  const auto super = [&](auto one_block) {
    dequantize_blocks<kSuperBlock>(stored, block_bytes, first, values, one_block);
  };
  switch (type) {
    case GgmlType::kF32:
      return widen(Dtype::kF32);
    case GgmlType::kF16:
      return widen(Dtype::kF16);
    case GgmlType::kBF16:
      return widen(Dtype::kBF16);
    case GgmlType::kQ4_0:
      return small(dequantize_q4_0);
    case GgmlType::kQ4_1:
      return small(dequantize_q4_1);
    case GgmlType::kQ5_0:
      return small(dequantize_q5_0);
    case GgmlType::kQ5_1:
      return small(dequantize_q5_1);
    case GgmlType::kQ8_0:
      return small(dequantize_q8_0);
    case GgmlType::kQ4K:
      return super(dequantize_q4_k);
    case GgmlType::kQ5K:
      return super(dequantize_q5_k);
    case GgmlType::kQ6K:
      return super(dequantize_q6_k);
  }
}

void quantize(GgmlType type, std::span<const float> values, std::span<std::byte> stored) {
  switch (type) {
    case GgmlType::kF32:
      return narrow_from_float(Dtype::kF32, values, stored);
    case GgmlType::kF16:
      return narrow_from_float(Dtype::kF16, values, stored);
    case GgmlType::kBF16:
      return narrow_from_float(Dtype::kBF16, values, stored);
    case GgmlType::kQ8_0: {
      const auto block_bytes = static_cast<size_t>(layout_of(type).block_bytes);
      assert(stored.size() == values.size() / kBlock * block_bytes);
      for (size_t block = 0; block < values.size() / kBlock; ++block) {
        quantize_q8_0(values.subspan(block * kBlock, kBlock), &stored[block * block_bytes]);
      }
      return;
    }
    default:
      assert(false && "export writes F32, F16, BF16 and Q8_0");
  }
}

}  // namespace slayer
