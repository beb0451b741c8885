#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <gtest/gtest.h>
#include <numbers>

#include "slayer/model/loss.h"
#include "slayer/probe/angular.h"
#include "slayer/probe/gradient.h"
#include "slayer/probe/lens.h"

#include "tests/support/probe_text.h"

namespace slayer {
namespace {

// The same sums in another order.
constexpr double kTolerance = 1e-5;

at::Tensor ids_of(const SequenceGroup& group) {
  const std::vector<TokenId>& tokens = group.front().tokens;
  return at::tensor(std::vector<int64_t>(tokens.begin(), tokens.end()), at::kLong).unsqueeze(0);
}

/// What enters each layer, and what leaves the last, of one window alone: [states, tokens, hidden].
at::Tensor states_alone(const CausalLM& model, const SequenceGroup& window) {
  const at::NoGradGuard no_grad;
  const at::Tensor ids = ids_of(window);
  const at::Tensor input = ids.narrow(1, 0, ids.size(1) - 1);
  const ForwardPass pass = begin_pass(model, input);
  std::vector<at::Tensor> states{embed(model, input)};
  for (int64_t layer = 0; layer < std::ssize(model.layers); ++layer) {
    states.push_back(run_layers(model, states.back(), layer, layer + 1, pass));
  }
  return at::cat(states);
}

TEST(Angular, IsTheMeanOverWindowsForEverySpan) {
  const CausalLM model = fixture_model("llama3");
  const ProbeSet text = made_text(4);
  ProbeJournal journal;
  const Json json =
      measure_angular(model, text, {.row_tokens = 20}, {.draws = 50}, {.journal = journal});
  for (int64_t start = 0; start < 4; ++start) {
    for (int64_t span = 1; start + span <= 4; ++span) {
      double angle = 0.0;
      double influence = 0.0;
      double tokens = 0.0;
      for (const SequenceGroup& window : text.groups) {
        const at::Tensor states = states_alone(model, window);
        const at::Tensor cosine =
            at::cosine_similarity(states[start], states[start + span], /*dim=*/-1);
        angle += std::acos(cosine[-1].item<double>()) / std::numbers::pi;
        influence += (1.0 - cosine).sum().item<double>();
        tokens += static_cast<double>(cosine.numel());
      }
      const auto row = static_cast<size_t>(span - 1);
      const auto column = static_cast<size_t>(start);
      EXPECT_NEAR(json["spans"][row][column].get<double>(),
                  angle / static_cast<double>(text.groups.size()),
                  kTolerance);
      EXPECT_NEAR(
          json["influence_spans"][row][column].get<double>(), influence / tokens, kTolerance);
    }
  }
  ASSERT_EQ(json["layers"].size(), 4U);
  for (const Json& layer : json["layers"]) {
    const auto index = layer["layer"].get<size_t>();
    EXPECT_EQ(layer["angular"], json["spans"][0][index]);
    EXPECT_EQ(layer["influence"], json["influence_spans"][0][index]);
    EXPECT_LT(layer["low"].get<double>(), layer["angular"].get<double>());
    EXPECT_GT(layer["high"].get<double>(), layer["angular"].get<double>());
  }
}

TEST(Lens, ReadsEachLayersStateThroughNormAndHead) {
  const CausalLM model = fixture_model("qwen3");
  const ProbeSet text = made_text(3);
  ProbeJournal journal;
  const Json json = measure_lens(
      model, text, {.packing = {.row_tokens = 20}}, {.draws = 50}, {.journal = journal});
  for (int64_t layer = 0; layer < 4; ++layer) {
    double loss = 0.0;
    double tokens = 0.0;
    for (const SequenceGroup& window : text.groups) {
      const at::Tensor hidden = final_norm(model, states_alone(model, window)[layer + 1]);
      const at::Tensor ids = ids_of(window);
      loss +=
          token_losses(model, hidden, ids[0].narrow(0, 1, ids.size(1) - 1)).sum().item<double>();
      tokens += static_cast<double>(ids.size(1) - 1);
    }
    const Json& entry = json["layers"][static_cast<size_t>(layer)];
    EXPECT_EQ(entry["layer"], layer);
    EXPECT_NEAR(entry["loss"].get<double>(), loss / tokens, kTolerance);
    EXPECT_LE(entry["low"].get<double>(), entry["loss"].get<double>());
  }
}

/// The model with a graph from all tensors of its layers, after one backward pass of the text's
/// mean loss.
CausalLM after_backward(const CausalLM& base, const ProbeSet& text) {
  CausalLM model = base;
  for (DecoderLayer& layer : model.layers) {
    for (const TensorRole role : kLayerRoles) {
      at::Tensor& tensor = tensor_of(layer, role);
      if (tensor.defined()) {
        tensor = tensor.detach().requires_grad_();
      }
    }
  }
  at::Tensor loss = at::zeros({});
  int64_t tokens = 0;
  for (const SequenceGroup& window : text.groups) {
    const at::Tensor ids = ids_of(window);
    const int64_t predicted = ids.size(1) - 1;
    const at::Tensor hidden = forward_hidden(model, ids.narrow(1, 0, predicted));
    loss = loss + at::cross_entropy_loss(at::linear(hidden[0], model.lm_head),
                                         ids[0].narrow(0, 1, predicted),
                                         {},
                                         at::Reduction::Sum);
    tokens += predicted;
  }
  (loss / tokens).backward();
  return model;
}

class Gradient : public testing::TestWithParam<const char*> {};

TEST_P(Gradient, IsThatOfOneBackwardPassThroughTheWholeModel) {
  const CausalLM base = fixture_model(GetParam());
  const ProbeSet text = made_text(4);
  ProbeJournal journal;
  const Json json = measure_gradient(base, text, {.row_tokens = 20}, {.journal = journal});
  const CausalLM model = after_backward(base, text);
  for (size_t layer = 0; layer < model.layers.size(); ++layer) {
    double importance = 0.0;
    double squares = 0.0;
    for (const TensorRole role : kLayerRoles) {
      const at::Tensor& tensor = tensor_of(model.layers[layer], role);
      if (tensor.defined()) {
        importance += (tensor * tensor.grad()).abs().sum().item<double>();
        squares += tensor.grad().square().sum().item<double>();
      }
    }
    const Json& entry = json["layers"][layer];
    EXPECT_NEAR(entry["importance"].get<double>(), importance, 1e-4 * importance);
    EXPECT_NEAR(entry["norm"].get<double>(), std::sqrt(squares), 1e-4 * std::sqrt(squares));
    EXPECT_LT(entry["low"].get<double>(), importance);
    EXPECT_GT(entry["high"].get<double>(), importance);
    const at::Tensor& q_proj = model.layers[layer].q_proj;
    EXPECT_NEAR(entry["projections"]["self_attn.q_proj"]["norm"].get<double>(),
                q_proj.grad().norm().item<double>(),
                1e-4 * std::sqrt(squares));
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Gradient, testing::Values("llama3", "llama_bias", "qwen3"));

TEST(GradientInterval, IsLeftOutForASingleUnit) {
  const ProbeSet text =
      text_set("text", {"made.txt"}, {{5, 6, 7, 8, 9, 10}}, {.seq_len = 6, .windows = 0}, 64);
  ProbeJournal journal;
  const Json json = measure_gradient(fixture_model("smollm"), text, {}, {.journal = journal});
  EXPECT_FALSE(json["layers"][0].contains("low"));
  EXPECT_GT(json["layers"][0]["importance"].get<double>(), 0.0);
}

}  // namespace
}  // namespace slayer
