#include "slayer/train/head_loss.h"

#include <ATen/ATen.h>

#include <gtest/gtest.h>

#include "slayer/data/packing.h"

namespace slayer {
namespace {

double relative_difference(const at::Tensor& value, const at::Tensor& expected) {
  return (value - expected).norm().item<double>() / expected.norm().item<double>();
}

TEST(HeadLoss, EqualsCrossEntropyOfTheFullLogits) {
  // 20,000 words: several chunks of rows.
  at::manual_seed(1);
  at::Tensor hidden = at::randn({1200, 8}).requires_grad_();
  const at::Tensor head = at::randn({20'000, 8});
  at::Tensor targets = at::randint(20'000, {1200}, at::kLong);
  targets.slice(0, 100, 300).fill_(kNoTarget);
  const double scale = 0.25;
  const HeadLoss loss = head_loss(hidden.detach(), head, targets, scale);

  const at::Tensor expected =
      at::cross_entropy_loss(at::mm(hidden, head.t()), targets, {}, at::Reduction::Sum, kNoTarget);
  (expected * scale).backward();
  EXPECT_NEAR(loss.loss_sum, expected.item<double>(), 1e-5 * expected.item<double>());
  EXPECT_LT(relative_difference(loss.hidden_gradient, hidden.grad()), 1e-5);
  EXPECT_TRUE(loss.hidden_gradient.slice(0, 100, 300).eq(0).all().item<bool>());
}

TEST(HeadLoss, StaysFiniteForLargeLogits) {
  const at::Tensor hidden = at::full({1, 1}, 1000.0);
  const at::Tensor head = at::tensor({1.0F, -1.0F, 0.0F}).unsqueeze(1);
  const HeadLoss loss = head_loss(hidden, head, at::tensor({1}, at::kLong), 1.0);
  EXPECT_DOUBLE_EQ(loss.loss_sum, 2000.0);
  EXPECT_DOUBLE_EQ(loss.hidden_gradient.item<double>(), 2.0);
}

TEST(HeadLoss, TakesLogitsOfIntegersAndKeepsTheGradientsSmallProbabilities) {
  at::manual_seed(1);
  const at::Tensor hidden = at::randn({300, 64}) / 8.0;
  const at::Tensor head = at::randn({5'000, 64});
  const at::Tensor targets = at::randint(5'000, {300}, at::kLong);
  const HeadLoss exact = head_loss(hidden, head, targets, 1.0);
  const HeadLoss rounded = head_loss(hidden, head, targets, 1.0, {}, quantize_matrix(head));
  EXPECT_NE(rounded.loss_sum, exact.loss_sum);
  // Of 255 levels each way, some thousandths.
  EXPECT_NEAR(rounded.loss_sum, exact.loss_sum, 2e-3 * exact.loss_sum);
  EXPECT_LT(relative_difference(rounded.hidden_gradient, exact.hidden_gradient), 2e-2);
}

TEST(HeadLoss, IsZeroWithoutTargets) {
  const at::Tensor targets = at::full({3}, kNoTarget, at::kLong);
  const HeadLoss loss = head_loss(at::ones({3, 2}), at::ones({5, 2}), targets, 1.0);
  EXPECT_EQ(loss.loss_sum, 0.0);
  EXPECT_TRUE(loss.hidden_gradient.eq(0).all().item<bool>());
}

}  // namespace
}  // namespace slayer
