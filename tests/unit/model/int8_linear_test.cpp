#include "slayer/model/int8_linear.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <cmath>
#include <gtest/gtest.h>

namespace slayer {
namespace {

/// More rows than are multiplied at once, and not a multiple of them.
constexpr int64_t kTokens = 300;

struct Int8Case {
  at::Tensor x = at::randn({kTokens, 48});
  at::Tensor weight = at::randn({40, 48});
};

/// How far x W^T may be off: a value is off by at most half its row's scale, so that a product x w
/// is by |x| sw / 2 + |w| sx / 2 + sx sw / 4; the rounding of float32 is in the factor.
/// @param x [rows, in], `weight` [out, in], `scales` [out] those of the weight's rows.
at::Tensor largest_error(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& scales) {
  const at::Tensor x_scales = x.abs().amax(1, /*keepdim=*/true) / 127.0;
  const at::Tensor of_x = x.abs().sum(1, /*keepdim=*/true) * scales / 2.0;
  const at::Tensor of_weight = weight.abs().sum(1) * x_scales / 2.0;
  const at::Tensor of_both = x_scales * scales * static_cast<double>(x.size(1)) / 4.0;
  return (of_x + of_weight + of_both) * (1.0 + 1e-4);
}

bool is_within(const at::Tensor& value, const at::Tensor& expected, const at::Tensor& bound) {
  return (value - expected).abs().le(bound).all().item<bool>();
}

double cosine(const at::Tensor& a, const at::Tensor& b) {
  return (a * b).sum().item<double>() / (a.norm() * b.norm()).item<double>();
}

TEST(Int8Linear, IsOffByTheRoundingOfBothFactors) {
  at::manual_seed(1);
  const Int8Case given;
  const at::Tensor bias = at::randn({40});
  const Int8Weight weight = quantize_weight(given.weight);
  const at::Tensor expected = at::linear(given.x, given.weight, bias);
  const at::Tensor y = apply_int8_linear(given.x.view({3, 100, 48}), weight, bias);
  ASSERT_EQ(y.sizes(), (std::vector<int64_t>{3, 100, 40}));
  EXPECT_TRUE(is_within(
      y.view({kTokens, 40}), expected, largest_error(given.x, given.weight, weight.weight.scales)));
  // Rounding at random is off by a scale / sqrt(12): of rows whose largest is below 4 times their
  // root mean square 0.9 %, and twice that of a weight with half the levels.
  EXPECT_LT(((y.view({kTokens, 40}) - expected).norm() / expected.norm()).item<double>(), 0.02);
}

TEST(Int8Linear, GivesTheGradientOfTheInput) {
  at::manual_seed(2);
  const Int8Case given;
  const Int8Weight weight = quantize_weight(given.weight);
  at::Tensor x = given.x.clone().requires_grad_();
  const at::Tensor dy = at::randn({kTokens, 40});
  // As a layer adds the residual into it.
  apply_int8_linear(x.view({3, 100, 48}), weight).add_(1.0).view({kTokens, 40}).backward(dy);
  const at::Tensor expected = at::mm(dy, given.weight);
  EXPECT_TRUE(
      is_within(x.grad(), expected, largest_error(dy, given.weight.t(), weight.transposed.scales)));
  EXPECT_GT(cosine(x.grad(), expected), 0.999);
}

TEST(Int8Linear, TakesEachTokenAndChannelByItsOwnScale) {
  const at::Tensor x = at::tensor({1.0F, -0.5F, 1e6F, 5e5F}).view({2, 2});
  const at::Tensor weight = at::tensor({1e-6F, 0.0F, 0.0F, 1e3F}).view({2, 2});
  const at::Tensor y = apply_int8_linear(x, quantize_weight(weight));
  const at::Tensor expected = at::mm(x, weight.t());
  EXPECT_TRUE(is_within(y, expected, expected.abs() * 0.01)) << y;
}

TEST(Int8Linear, KeepsRowsOfZerosAndTellsOfWhatIsNotFinite) {
  at::manual_seed(3);
  const Int8Case given;
  const Int8Weight weight = quantize_weight(given.weight);
  const at::Tensor clean = apply_int8_linear(given.x, weight);
  at::Tensor x = given.x.clone();
  x[1].fill_(0.0);
  x[2][5] = NAN;
  x[3][7] = -INFINITY;
  const at::Tensor y = apply_int8_linear(x, weight);
  EXPECT_TRUE(y[1].eq(0.0).all().item<bool>());
  EXPECT_FALSE(y[2].isfinite().any().item<bool>());
  EXPECT_FALSE(y[3].isfinite().any().item<bool>());
  EXPECT_TRUE(y.slice(0, 4).equal(clean.slice(0, 4)));
}

TEST(Int8Linear, GivesTheSameBitsForAnyNumberOfThreads) {
  at::manual_seed(4);
  const Int8Case given;
  const Int8Weight weight = quantize_weight(given.weight);
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor alone = apply_int8_linear(given.x, weight);
  at::set_num_threads(3);
  EXPECT_TRUE(apply_int8_linear(given.x, weight).equal(alone));
  at::set_num_threads(threads);
  EXPECT_TRUE(apply_int8_linear(given.x.slice(0, 0, 7), weight).equal(alone.slice(0, 0, 7)));
}

}  // namespace
}  // namespace slayer
