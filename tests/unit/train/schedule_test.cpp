#include "slayer/train/schedule.h"

#include <gtest/gtest.h>

namespace slayer {
namespace {

TEST(Schedule, WarmsUpToThePeakThenFollowsACosine) {
  const Schedule schedule{.peak = 1.0, .warmup_steps = 2, .steps = 6};
  EXPECT_DOUBLE_EQ(schedule.at(1), 0.5);
  EXPECT_DOUBLE_EQ(schedule.at(2), 1.0);
  EXPECT_DOUBLE_EQ(schedule.at(3), 1.0);
  EXPECT_DOUBLE_EQ(schedule.at(5), 0.5);
  EXPECT_NEAR(schedule.at(6), 0.146447, 1e-6);  // (1 + cos(3 pi / 4)) / 2
}

TEST(Schedule, NeedsNoWarmUpAndNoDecay) {
  EXPECT_DOUBLE_EQ((Schedule{.peak = 2.0, .warmup_steps = 0, .steps = 4}).at(1), 2.0);
  EXPECT_DOUBLE_EQ((Schedule{.peak = 2.0, .warmup_steps = 4, .steps = 4}).at(4), 2.0);
}

}  // namespace
}  // namespace slayer
