#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <functional>
#include <gtest/gtest.h>

#include "slayer/model/attention.h"
#include "slayer/model/causal_attention.h"
#include "slayer/model/linear.h"
#include "slayer/model/low_rank_adapter.h"
#include "slayer/model/matrix_product.h"
#include "slayer/model/rms_norm.h"
#include "slayer/model/rotary.h"
#include "slayer/model/swiglu.h"

namespace slayer {
namespace {

using Operation = std::function<at::Tensor(const std::vector<at::Tensor>&)>;

/// Float32 sums in another order.
constexpr double kReordered = 2e-6;

double relative_difference(const at::Tensor& actual, const at::Tensor& expected) {
  return ((actual - expected).norm() / expected.norm()).item<double>();
}

at::Tensor random(at::IntArrayRef sizes) { return at::randn(sizes, at::kFloat); }

/// The operation's value and gradients against those that autograd finds for plain ATen in float32.
void expect_same(const Operation& ours,
                 const Operation& plain,
                 const std::vector<at::Tensor>& inputs,
                 double tolerance = kReordered) {
  const auto run = [&inputs](const Operation& operation, auto prepare) {
    std::vector<at::Tensor> leaves;
    for (const at::Tensor& input : inputs) {
      leaves.push_back(prepare(input).requires_grad_());
    }
    std::vector<at::Tensor> results{operation(leaves)};
    const at::Tensor weights =
        at::arange(1, results[0].numel() + 1, at::kFloat).sin_().view_as(results[0]);
    (results[0] * weights).sum().backward();
    for (const at::Tensor& leaf : leaves) {
      results.push_back(leaf.grad());
    }
    return results;
  };
  const std::vector<at::Tensor> actual =
      run(ours, [](const at::Tensor& input) { return input.detach().clone(); });
  const std::vector<at::Tensor> expected =
      run(plain, [](const at::Tensor& input) { return input.to(at::kFloat, false, true); });
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_LE(relative_difference(actual[i], expected[i]), tolerance) << "result " << i;
  }
  const at::NoGradGuard no_grad;
  EXPECT_TRUE(at::equal(ours(inputs), actual[0])) << "a graph must not change the value";
}

/// The same with all inputs in bfloat16, where every result is rounded once.
void expect_same_rounded(const Operation& ours,
                         const Operation& plain,
                         std::vector<at::Tensor> inputs) {
  constexpr double kRounded = 8e-3;  // Twice at most 2^-8: upstream gradients are rounded too.
  for (at::Tensor& input : inputs) {
    input = input.to(at::kBFloat16);
  }
  expect_same(ours, plain, inputs, kRounded);
}

TEST(RmsNorm, IsWhatAtenComputes) {
  const Operation ours = [](const auto& in) { return rms_norm(in[0], in[1], 1e-5); };
  const Operation plain = [](const auto& in) {
    return at::rms_norm(in[0], in[1].sizes(), in[1], 1e-5);
  };
  for (const int64_t size : {5, 16, 37}) {
    expect_same(ours, plain, {random({3, 7, size}), random({size})});
    expect_same_rounded(ours, plain, {random({3, 7, size}), random({size})});
  }
}

TEST(Swiglu, IsWhatAtenComputes) {
  const Operation ours = [](const auto& in) { return swiglu(in[0], in[1]); };
  const Operation plain = [](const auto& in) { return at::silu(in[0]) * in[1]; };
  expect_same(ours, plain, {10.0 * random({3, 7, 37}), random({3, 7, 37})});
  expect_same_rounded(ours, plain, {10.0 * random({3, 7, 137}), random({3, 7, 137})});
}

TEST(Swiglu, SurvivesTheEndsOfTheFloats) {
  const at::Tensor gate = at::tensor({-1e30F, -200.0F, -0.0F, 200.0F, 1e30F, NAN});
  const at::Tensor found = swiglu(gate, at::ones({6}));
  EXPECT_NEAR(found[1].item<double>(), 0.0, 1e-30);
  EXPECT_EQ(found[3].item<float>(), 200.0F);
  EXPECT_EQ(found[4].item<float>(), 1e30F);
  EXPECT_TRUE(std::isnan(found[5].item<float>()));
}

TEST(Rotary, IsARotationOfTheHalves) {
  const at::Tensor angles = random({1, 7, 1, 4});
  const at::Tensor cos = angles.cos().to(at::kBFloat16);
  const at::Tensor sin = angles.sin().to(at::kBFloat16);
  const Operation ours = [&](const auto& in) {
    const at::ScalarType type = in[0].scalar_type();
    return apply_rotary(in[0], {.cos = cos.to(type), .sin = sin.to(type)});
  };
  const Operation plain = [&](const auto& in) {
    const auto halves = in[0].chunk(2, -1);
    return at::cat({halves[0] * cos - halves[1] * sin, halves[1] * cos + halves[0] * sin}, -1);
  };
  expect_same(ours, plain, {random({3, 7, 2, 8})});
  expect_same_rounded(ours, plain, {random({3, 7, 2, 8})});
}

TEST(Linear, IsWhatAtenComputes) {
  expect_same([](const auto& in) { return apply_linear(in[0], in[1], in[2]); },
              [](const auto& in) { return at::linear(in[0], in[1], in[2]); },
              {random({3, 7, 16}), random({24, 16}), random({24})});
}

TEST(Linear, GivesFrozenWeightsNoGradient) {
  const at::Tensor x = random({3, 16}).requires_grad_();
  const at::Tensor weight = random({24, 16});
  apply_linear(x, weight).sum().backward();
  EXPECT_FALSE(weight.grad().defined());
  EXPECT_LE(relative_difference(x.grad(), weight.sum(0).expand({3, 16})), kReordered);
}

TEST(MatrixProduct, OfNarrowTypesIsRoundedOnce) {
  constexpr int64_t kInner = 400'000;  // Two of b's columns at a time, where they are widened.
  for (const at::ScalarType type : {at::kBFloat16, at::kHalf}) {
    for (const int64_t rows : {1, 3}) {
      const at::Tensor a = random({rows, kInner}).to(type);
      const at::Tensor b = random({5, kInner}).to(type).t();
      const at::Tensor bias = random({5}).mul_(1000).to(type);
      const at::Tensor exact =
          at::addmm(bias.to(at::kDouble), a.to(at::kDouble), b.to(at::kDouble));
      const at::Tensor product = matrix_product(a, b, bias);
      EXPECT_EQ(product.scalar_type(), type);
      const double half_a_step = type == at::kHalf ? 1.0 / 2048 : 1.0 / 256;
      const at::Tensor error = (product.to(at::kDouble) - exact).abs();
      EXPECT_TRUE((error <= exact.abs() * half_a_step + 0.01).all().item<bool>()) << error;
    }
  }
}

TEST(Adapter, AddsWhatAtenComputes) {
  expect_same(
      [](const auto& in) {
        at::Tensor output = in[0] * 1.0;
        add_adapter(output, in[1], {.a = in[2], .b = in[3], .scale = 0.5});
        return output;
      },
      [](const auto& in) { return in[0] + 0.5 * at::linear(at::linear(in[1], in[2]), in[3]); },
      {random({3, 7, 24}), random({3, 7, 16}), random({4, 16}), random({24, 4})});
}

TEST(Adapter, TrainsInFloat32BesideBfloat16) {
  const at::Tensor x = random({5, 16}).to(at::kBFloat16);
  const at::Tensor a = random({4, 16}).requires_grad_();
  const at::Tensor b = random({24, 4}).requires_grad_();
  const auto of_sum = [&](at::Tensor output) {
    output.sum(at::kFloat).backward();
    std::vector<at::Tensor> found{output.to(at::kFloat).detach(), a.grad(), b.grad()};
    a.mutable_grad().reset();
    b.mutable_grad().reset();
    return found;
  };
  const std::vector<at::Tensor> exact =
      of_sum(at::linear(at::linear(x.to(at::kFloat), a), b).mul(2.0));
  at::Tensor output = at::zeros({5, 24}, at::kBFloat16);
  add_adapter(output, x, {.a = a, .b = b, .scale = 2.0});
  EXPECT_EQ(output.scalar_type(), at::kBFloat16);
  const std::vector<at::Tensor> found = of_sum(output);
  constexpr double kRounded = 4e-3;  // Half of bfloat16's last digit.
  EXPECT_LE(relative_difference(found[0], exact[0]), kRounded);
  EXPECT_LE(relative_difference(found[1], exact[1]), kReordered);
  EXPECT_LE(relative_difference(found[2], exact[2]), kReordered);
}

TEST(Attention, OfPiecesIsAttentionUnderTheirMask) {
  const std::vector<int64_t> pieces{5, 1, 6, 12};  // Two rows of 12 tokens.
  const at::Tensor mask = at::zeros({2, 1, 12, 12}, at::kBool);
  for (const auto& [row, begin, length] : {std::tuple{0, 0, 5}, {0, 5, 1}, {0, 6, 6}, {1, 0, 12}}) {
    mask[row][0].narrow(0, begin, length).narrow(1, begin, length).fill_(true).tril_();
  }
  const auto split = [](const at::Tensor& x) { return x.transpose(1, 2); };
  expect_same(
      [&](const auto& in) {
        return attend(split(in[0]), split(in[1]), split(in[2]), {.pieces = pieces, .bias = {}});
      },
      [&](const auto& in) {
        return at::scaled_dot_product_attention(
                   split(in[0]), split(in[1]), split(in[2]), mask, 0.0, false, std::nullopt, true)
            .transpose(1, 2);
      },
      {random({2, 12, 4, 8}), random({2, 12, 2, 8}), random({2, 12, 2, 8})});
}

TEST(Attention, OfManyBlocksIsWhatAtenComputes) {
  // Query and key heads: one block has 96, 32 and 1 queries; 100 tokens end within one.
  for (const auto& [heads, kv_heads] : {std::pair{2, 2}, {6, 2}, {97, 1}}) {
    const Operation ours = [](const auto& in) {
      return causal_attention(in[0], in[1], in[2], {100, 100});
    };
    const Operation plain = [](const auto& in) {
      const auto split = [](const at::Tensor& x) { return x.transpose(1, 2); };
      return at::scaled_dot_product_attention(
                 split(in[0]), split(in[1]), split(in[2]), std::nullopt, 0.0, true, {}, true)
          .transpose(1, 2);
    };
    const std::vector<at::Tensor> inputs{
        random({2, 100, heads, 8}), random({2, 100, kv_heads, 8}), random({2, 100, kv_heads, 8})};
    // A key's gradient sums thousands of terms.
    expect_same(ours, plain, inputs, /*tolerance=*/5e-6);
    expect_same_rounded(ours, plain, inputs);
  }
}

TEST(Attention, OfFewQueriesToACacheIsWhatAtenComputes) {
  const at::NoGradGuard no_grad;
  for (const auto& [heads, kv_heads, seq] : {std::tuple{6, 2, 1}, {4, 4, 3}, {6, 2, 2}}) {
    const at::Tensor query = random({2, seq, heads, 8}).transpose(1, 2);
    const at::Tensor key = random({2, kv_heads, 30, 8}).narrow(2, 0, 21);
    const at::Tensor value = random({2, kv_heads, 30, 8}).narrow(2, 0, 21);
    for (const at::Tensor& bias :
         {at::Tensor(), random({1, 1, seq, 21}), random({2, 1, seq, 21})}) {
      const at::Tensor expected =
          at::scaled_dot_product_attention(query,
                                           key,
                                           value,
                                           bias.defined() ? std::optional(bias) : std::nullopt,
                                           0.0,
                                           false,
                                           std::nullopt,
                                           true);
      EXPECT_LE(
          relative_difference(attend(query, key, value, {.bias = bias}), expected.transpose(1, 2)),
          kReordered);
    }
  }
}

TEST(Attention, SurvivesScoresAtTheEndsOfTheFloats) {
  const at::Tensor large = at::full({1, 3, 1, 4}, 1e15F).transpose(1, 2);
  const at::Tensor value = at::arange(12, at::kFloat).view({1, 3, 1, 4}).transpose(1, 2);
  for (const double sign : {1.0, -1.0}) {
    const at::Tensor mixed = attend(large * sign, large, value, {.is_causal = true, .bias = {}});
    // All scores alike: the mean of what each token sees.
    const at::Tensor expected =
        at::tensor({0., 1., 2., 3., 2., 3., 4., 5., 4., 5., 6., 7.}, at::kFloat);
    EXPECT_TRUE(at::allclose(mixed.flatten(), expected)) << mixed;
  }
}

}  // namespace
}  // namespace slayer
