#include "slayer/surgery/init.h"

#include <array>
#include <bit>
#include <gtest/gtest.h>
#include <vector>

namespace slayer {
namespace {

/// What `layer` makes of one element of each source layer: 1, 2, 4, 8.
float element_of(const PlannedLayer& layer, TensorRole role = TensorRole::kQueryWeight) {
  constexpr std::array kSources{1.0F, 2.0F, 4.0F, 8.0F};
  std::vector<float> values(1);
  initialize(
      layer,
      role,
      [&](int64_t source_layer, std::span<float> source) {
        source.front() = kSources.at(static_cast<size_t>(source_layer));
      },
      values);
  return values.front();
}

TEST(Initialize, CopiesAveragesAndCollapses) {
  EXPECT_EQ(element_of({.from = {2}}), 4.0F);
  EXPECT_EQ(element_of({.from = {0, 1}, .init = Init::kAverage}), 1.5F);
  EXPECT_EQ(element_of({.from = {0, 1, 3}, .init = Init::kAverage}), 11.0F / 3.0F);
  EXPECT_EQ(element_of({.from = {0, 3}, .init = Init::kAverage, .weights = {0.75, 0.25}}), 2.75F);
  EXPECT_EQ(element_of({.from = {1, 2, 3}, .init = Init::kCollapse}), 2.0F + (4 - 2) + (8 - 2));
}

TEST(Initialize, ZeroesTheBlocksOutputsOnly) {
  const PlannedLayer layer{.from = {0, 1}, .init = Init::kAverage, .zero_output = true};
  for (const TensorRole role : {TensorRole::kOutputWeight,
                                TensorRole::kOutputBias,
                                TensorRole::kDownWeight,
                                TensorRole::kDownBias}) {
    EXPECT_EQ(element_of(layer, role), 0.0F);
    EXPECT_FALSE(is_copied({.from = {0}, .zero_output = true}, role));
  }
  EXPECT_EQ(element_of(layer, TensorRole::kInputNorm), 1.5F);
  EXPECT_TRUE(is_copied({.from = {0}, .zero_output = true}, TensorRole::kInputNorm));
  EXPECT_FALSE(is_copied(layer, TensorRole::kInputNorm));
}

TEST(Initialize, KeepsTheSignOfZero) {
  std::vector<float> values(1);
  initialize(
      {.from = {0, 0}, .init = Init::kAverage},
      TensorRole::kInputNorm,
      [](int64_t, std::span<float> source) { source.front() = -0.0F; },
      values);
  EXPECT_EQ(std::bit_cast<uint32_t>(values.front()), 0x80000000U);
}

}  // namespace
}  // namespace slayer
