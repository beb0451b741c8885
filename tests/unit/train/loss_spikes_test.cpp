#include "slayer/train/loss_spikes.h"

#include <gtest/gtest.h>
#include <random>

namespace slayer {
namespace {

TEST(LossSpikes, NoticesALossFarAboveThoseBefore) {
  LossSpikes spikes;
  std::mt19937 random(1);
  std::normal_distribution<double> losses(2.0, 0.1);
  for (int i = 0; i < 500; ++i) {
    ASSERT_FALSE(spikes.add(losses(random))) << i;
  }
  EXPECT_NEAR(spikes.add(3.0).value_or(0.0), 2.0, 0.05);
  EXPECT_FALSE(spikes.add(2.1));
}

TEST(LossSpikes, SaysNothingBeforeItKnowsWhatIsUsual) {
  LossSpikes spikes;
  for (int i = 0; i < 16; ++i) {
    EXPECT_FALSE(spikes.add(i % 2 == 0 ? 1.0 : 100.0));
  }
}

TEST(LossSpikes, LetsAConstantLossMoveALittle) {
  LossSpikes spikes;
  for (int i = 0; i < 20; ++i) {
    spikes.add(1.0);
  }
  EXPECT_FALSE(spikes.add(1.09));
  EXPECT_TRUE(spikes.add(1.11));
}

}  // namespace
}  // namespace slayer
