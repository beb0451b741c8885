#include "slayer/checkpoint/dequantize.h"

#include <bit>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <random>

#include "slayer/checkpoint/gguf_reader.h"

namespace slayer {
namespace {

/// Blocks and their values as gguf-py computes them, see tools/fixtures/make_gguf_quants.py.
class Dequantize : public testing::TestWithParam<std::string> {
 protected:
  static std::vector<float> read(const std::string& name, int64_t begin, int64_t end) {
    const GgufTensor& tensor = *file().find(name);
    std::vector<float> values(static_cast<size_t>(end - begin));
    dequantize(tensor.type, file().bytes(tensor), begin, values);
    return values;
  }

  static const GgufFile& file() {
    static const GgufFile quants = GgufFile::open(SLAYER_FIXTURES "/gguf/quants.gguf");
    return quants;
  }
};

/// Index of the first value whose bits differ, or -1.
int64_t first_difference(std::span<const float> found, std::span<const float> expected) {
  for (size_t index = 0; index < expected.size(); ++index) {
    if (std::bit_cast<uint32_t>(found[index]) != std::bit_cast<uint32_t>(expected[index])) {
      return static_cast<int64_t>(index);
    }
  }
  return -1;
}

TEST_P(Dequantize, GivesTheReferencesBits) {
  const int64_t count = file().find(GetParam())->element_count();
  EXPECT_EQ(layout_of(file().find(GetParam())->type).name, GetParam());
  const auto expected = read(GetParam() + ".values", 0, count);
  EXPECT_EQ(first_difference(read(GetParam(), 0, count), expected), -1);
}

TEST_P(Dequantize, ReadsAnyRange) {
  const int64_t count = file().find(GetParam())->element_count();
  const auto whole = read(GetParam(), 0, count);
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    const auto begin = static_cast<int64_t>(random() % static_cast<uint64_t>(count));
    const auto end =
        begin + static_cast<int64_t>(random() % static_cast<uint64_t>(count - begin + 1));
    SCOPED_TRACE(fmt::format("[{}, {})", begin, end));
    const std::span expected =
        std::span(whole).subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
    ASSERT_EQ(first_difference(read(GetParam(), begin, end), expected), -1);
  }
}

INSTANTIATE_TEST_SUITE_P(
    EveryType,
    Dequantize,
    testing::Values("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K", "F16", "BF16"),
    [](const auto& test) { return test.param; });

class Quantize : public Dequantize {};

TEST_P(Quantize, GivesTheReferencesBytes) {
  const GgufTensor& expected = *file().find("float." + GetParam());
  const auto values = read("float", 0, expected.element_count());
  std::vector<std::byte> stored(expected.size);
  quantize(expected.type, values, stored);
  EXPECT_TRUE(std::ranges::equal(stored, file().bytes(expected)));
}

INSTANTIATE_TEST_SUITE_P(EveryType,
                         Quantize,
                         testing::Values("Q8_0", "F16", "BF16"),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace slayer
