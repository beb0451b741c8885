#include "slayer/train/adamw.h"

#include <ATen/ATen.h>

#include <cmath>
#include <gtest/gtest.h>

namespace slayer {
namespace {

TrainableParameter parameter(const at::Tensor& value, const at::Tensor& gradient) {
  return {.name = "p", .model = value, .master = value, .gradient = gradient};
}

TEST(AdamW, FollowsThePaper) {
  std::vector<TrainableParameter> parameters{
      parameter(at::full({1, 1}, 2.0F), at::full({1, 1}, 0.5F))};
  AdamW optimizer(parameters, {.beta1 = 0.9, .beta2 = 0.99, .epsilon = 1e-8, .weight_decay = 0.1});
  double value = 2.0;
  double first = 0.0;
  double second = 0.0;
  for (int step = 1; step <= 5; ++step) {
    optimizer.step(parameters, /*lr=*/0.01, /*gradient_divisor=*/2.0);
    const double gradient = 0.25;
    parameters[0].gradient.fill_(0.5);  // the kernel scales in place
    first = 0.9 * first + 0.1 * gradient;
    second = 0.99 * second + 0.01 * gradient * gradient;
    value *= 1.0 - 0.01 * 0.1;
    value -= 0.01 * (first / (1.0 - std::pow(0.9, step))) /
             (std::sqrt(second / (1.0 - std::pow(0.99, step))) + 1e-8);
    EXPECT_NEAR(parameters[0].master.item<double>(), value, 1e-6);
  }
}

TEST(AdamW, LeavesNormsUndecayed) {
  std::vector<TrainableParameter> parameters{parameter(at::full({3}, 2.0F), at::zeros({3})),
                                             parameter(at::full({3, 1}, 2.0F), at::zeros({3, 1}))};
  AdamW optimizer(parameters, {.weight_decay = 0.5});
  optimizer.step(parameters, /*lr=*/0.1, /*gradient_divisor=*/1.0);
  EXPECT_TRUE(parameters[0].master.eq(2.0).all().item<bool>());
  EXPECT_TRUE(parameters[1].master.allclose(at::full({3, 1}, 1.9)));
}

}  // namespace
}  // namespace slayer
