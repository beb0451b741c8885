#include "slayer/train/schedule.h"

#include <gtest/gtest.h>

#include "tests/support/error_message.h"

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

TEST(Schedule, FallsInAStraightLine) {
  const Schedule schedule{
      .shape = ScheduleShape::kLinear, .peak = 1.0, .floor = 0.2, .warmup_steps = 2, .steps = 6};
  EXPECT_DOUBLE_EQ(schedule.at(2), 1.0);
  EXPECT_DOUBLE_EQ(schedule.at(3), 1.0);
  EXPECT_DOUBLE_EQ(schedule.at(5), 0.6);
  EXPECT_DOUBLE_EQ(schedule.at(6), 0.4);
}

TEST(Schedule, StaysAtThePeak) {
  const Schedule schedule{
      .shape = ScheduleShape::kConstant, .peak = 1.0, .warmup_steps = 2, .steps = 6};
  EXPECT_DOUBLE_EQ(schedule.at(1), 0.5);
  EXPECT_DOUBLE_EQ(schedule.at(6), 1.0);
}

TEST(Schedule, StaysThenFallsOverTheLastSteps) {
  const Schedule schedule{
      .shape = ScheduleShape::kWsd, .peak = 1.0, .warmup_steps = 2, .decay_steps = 4, .steps = 10};
  EXPECT_DOUBLE_EQ(schedule.at(2), 1.0);
  EXPECT_DOUBLE_EQ(schedule.at(6), 1.0);
  EXPECT_DOUBLE_EQ(schedule.at(7), 1.0);
  EXPECT_DOUBLE_EQ(schedule.at(8), 0.75);
  EXPECT_DOUBLE_EQ(schedule.at(10), 0.25);
}

TEST(Schedule, HasANamedShape) {
  for (const char* name : {"cosine", "linear", "constant", "wsd"}) {
    EXPECT_EQ(name_of(schedule_shape_from_name(name)), name);
  }
  EXPECT_EQ(message_of([] { schedule_shape_from_name("step"); }),
            "--schedule: found \"step\", expected cosine, linear, constant or wsd");
}

}  // namespace
}  // namespace slayer
