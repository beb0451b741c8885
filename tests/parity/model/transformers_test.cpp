#include <ATen/ATen.h>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "slayer/model/causal_lm.h"
#include "slayer/model/generate.h"

#include "tests/parity/model/reference.h"

namespace slayer {
namespace {

using test::load_tiny;
using test::reference_of;
using test::relative_difference;

/// The float32 forward pass may differ by the order of sums; see design, "Numbers and truth".
constexpr double kFloatTolerance = 1e-4;

class Transformers : public testing::TestWithParam<const char*> {};

TEST_P(Transformers, LogitsAgree) {
  const CausalLM model = load_tiny(GetParam());
  auto reference = reference_of(GetParam());
  const at::Tensor ours = logits(model, forward_hidden(model, reference["input_ids"]));
  EXPECT_LE(relative_difference(ours, reference["logits"]), kFloatTolerance);
}

TEST_P(Transformers, HiddenStatesAgreeAfterEveryLayer) {
  const CausalLM model = load_tiny(GetParam());
  auto reference = reference_of(GetParam());
  const ForwardPass pass = begin_pass(model, reference["input_ids"]);
  at::Tensor hidden = embed(model, reference["input_ids"]);
  EXPECT_TRUE(at::equal(hidden, reference["hidden_states.0"]));
  for (int64_t layer = 0; layer < model.config.num_hidden_layers; ++layer) {
    SCOPED_TRACE(fmt::format("layer {}", layer));
    hidden = run_layers(model, hidden, layer, layer + 1, pass);
    const at::Tensor& expected = reference.at(fmt::format("hidden_states.{}", layer + 1));
    EXPECT_LE(relative_difference(hidden, expected), kFloatTolerance);
  }
  EXPECT_LE(relative_difference(final_norm(model, hidden), reference["hidden_states.norm"]),
            kFloatTolerance);
}

TEST_P(Transformers, BFloat16StaysWithinItsRounding) {
  const CausalLM model = load_tiny(GetParam(), at::kBFloat16);
  auto reference = reference_of(GetParam());
  const at::Tensor ours = logits(model, forward_hidden(model, reference["input_ids"]));
  // Each layer rounds some 10 times on the way of the residual stream (the weights once, two
  // norms, projections, rotation, attention, activation, two sums), each time by up to 2^-9 of the
  // value. Errors are of either sign and add like a random walk: sqrt(10 * layers) * 2^-9, of the
  // norm of the logits; twice that, since norms and softmax can stretch them.
  const double roundings = 10.0 * static_cast<double>(model.config.num_hidden_layers + 1);
  const double bound = 2.0 * std::sqrt(roundings) * 0x1p-9;
  const at::Tensor difference = ours.to(at::kFloat) - reference["logits"];
  const double relative = (difference.norm() / reference["logits"].norm()).item<double>();
  EXPECT_LE(relative, bound);
  EXPECT_GT(relative, 0.0);
}

TEST_P(Transformers, GradientsAgree) {
  CausalLM model = load_tiny(GetParam());
  auto reference = reference_of(GetParam());
  const auto expected = expected_tensors(model.config);
  for (const ExpectedTensor& parameter : expected) {
    at::Tensor& tensor = tensor_of(model, parameter);
    tensor = tensor.clone().requires_grad_();
  }
  if (model.config.tie_word_embeddings) {
    model.lm_head = model.embed_tokens;
  }
  const at::Tensor& ids = reference["input_ids"];
  const at::Tensor scores = logits(model, forward_hidden(model, ids));
  const int64_t predicted = ids.size(1) - 1;
  const at::Tensor loss = at::cross_entropy_loss(scores.narrow(1, 0, predicted).flatten(0, 1),
                                                 ids.narrow(1, 1, predicted).flatten());
  EXPECT_NEAR(loss.item<double>(), reference["loss"].item<double>(), 1e-5);
  loss.backward();
  for (const ExpectedTensor& parameter : expected) {
    SCOPED_TRACE(parameter.name);
    const at::Tensor& gradient = reference.at("grad." + parameter.name);
    const at::Tensor difference = tensor_of(model, parameter).grad() - gradient;
    // Where the gradient is zero by symmetry (a key's bias moves all scores alike), noise remains.
    EXPECT_LE(difference.norm().item<double>(), 1e-4 * gradient.norm().item<double>() + 1e-6);
  }
}

TEST_P(Transformers, GreedyTokensAreTheSame) {
  const CausalLM model = load_tiny(GetParam());
  const at::Tensor ids = reference_of(GetParam())["greedy_ids"].to(at::kInt);
  const std::vector<int32_t> all(ids.const_data_ptr<int32_t>(),
                                 ids.const_data_ptr<int32_t>() + ids.numel());
  const std::vector<int32_t> prompt(all.begin(), all.begin() + 8);
  const std::vector<int32_t> expected(all.begin() + 8, all.end());
  EXPECT_EQ(generate(model, {prompt}, {.max_new_tokens = 24}).at(0), expected);
}

INSTANTIATE_TEST_SUITE_P(Families,
                         Transformers,
                         testing::Values("llama2",
                                         "llama3",
                                         "llama3_tied",
                                         "llama_bias",
                                         "smollm",
                                         "mistral",
                                         "qwen2",
                                         "qwen2_window",
                                         "qwen3"),
                         [](const auto& instance) { return std::string(instance.param); });

}  // namespace
}  // namespace slayer
