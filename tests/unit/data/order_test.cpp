#include "slayer/data/order.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <vector>

namespace slayer {
namespace {

std::vector<int64_t> epoch(const EpochOrder& order, int64_t count, int64_t number) {
  std::vector<int64_t> drawn;
  for (int64_t i = 0; i < count; ++i) {
    drawn.push_back(order.at(number * count + i));
  }
  return drawn;
}

TEST(EpochOrder, DrawsEachSequenceOnceAnEpoch) {
  for (int64_t count = 1; count <= 300; ++count) {
    SCOPED_TRACE(fmt::format("count {}", count));
    const EpochOrder order(count, /*seed=*/7);
    for (int64_t number = 0; number < 3; ++number) {
      std::vector<int64_t> times(static_cast<size_t>(count), 0);
      for (const int64_t index : epoch(order, count, number)) {
        ASSERT_GE(index, 0);
        ASSERT_LT(index, count);
        ++times[static_cast<size_t>(index)];
      }
      EXPECT_EQ(times, std::vector<int64_t>(static_cast<size_t>(count), 1));
    }
  }
}

TEST(EpochOrder, DiffersBetweenEpochsAndSeeds) {
  const EpochOrder order(100, /*seed=*/1);
  EXPECT_NE(epoch(order, 100, 0), epoch(order, 100, 1));
  EXPECT_NE(epoch(order, 100, 0), epoch(EpochOrder(100, /*seed=*/2), 100, 0));
  EXPECT_EQ(epoch(order, 100, 1), epoch(EpochOrder(100, /*seed=*/1), 100, 1));
}

TEST(EpochOrder, PutsEverySequenceEverywhere) {
  // 8 sequences, 4,000 epochs: each of the 64 (sequence, place) pairs is expected 500 times with a
  // standard deviation of 21; 6 of those is beyond chance.
  const EpochOrder order(8, /*seed=*/3);
  std::vector<int> times(64, 0);
  for (int64_t draw = 0; draw < int64_t{8} * 4000; ++draw) {
    ++times[static_cast<size_t>(8 * (draw % 8) + order.at(draw))];
  }
  for (const int count : times) {
    EXPECT_NEAR(count, 500, 126);
  }
}

TEST(EpochOrder, KnowsTheEpochOfADraw) {
  const EpochOrder order(10, /*seed=*/0);
  EXPECT_EQ(order.epoch_of(9), 0);
  EXPECT_EQ(order.epoch_of(10), 1);
}

}  // namespace
}  // namespace slayer
