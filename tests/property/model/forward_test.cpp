#include <ATen/ATen.h>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "slayer/model/causal_lm.h"
#include "slayer/model/generate.h"
#include "slayer/model/loss.h"

#include "tests/parity/model/reference.h"

namespace slayer {
namespace {

/// Sums in another order: a few float32 roundings.
constexpr double kReordered = 1e-5;

constexpr std::array kModels{"llama3", "mistral", "qwen2_window", "qwen3"};

at::Tensor row_of(const std::string& model, int64_t row = 0) {
  return test::reference_of(model).at("input_ids").narrow(0, row, 1);
}

TEST(Forward, PackedDocumentsSeeOnlyThemselves) {
  for (const std::string name : kModels) {
    SCOPED_TRACE(name);
    const CausalLM model = test::load_tiny(name);
    const at::Tensor ids = row_of(name);
    const at::Tensor packed =
        forward_hidden(model, ids, packed_layout({5, 1, 18}, /*shared_prefix=*/0, at::kCPU));
    for (const auto& [begin, length] : {std::pair{0, 5}, {5, 1}, {6, 18}}) {
      const at::Tensor alone = forward_hidden(model, ids.narrow(1, begin, length));
      EXPECT_LE(test::relative_difference(packed.narrow(1, begin, length), alone), kReordered);
    }
  }
}

TEST(KvCache, GivesWhatTheWholeSequenceGives) {
  for (const std::string name : kModels) {
    SCOPED_TRACE(name);
    const CausalLM model = test::load_tiny(name);
    const at::Tensor ids = row_of(name);
    const at::Tensor whole = forward_hidden(model, ids);
    KvCache cache(model.config, 1, 24, at::kFloat, at::kCPU);
    std::vector<at::Tensor> pieces;
    for (const auto& [begin, length] : {std::pair{0, 10}, {10, 1}, {11, 12}, {23, 1}}) {
      pieces.push_back(forward_hidden(model, ids.narrow(1, begin, length), {}, &cache));
    }
    EXPECT_EQ(cache.length(), 24);
    EXPECT_LE(test::relative_difference(at::cat(pieces, 1), whole), kReordered);
  }
}

TEST(KvCache, LetsContinuationsShareAPrefix) {
  for (const std::string name : kModels) {
    SCOPED_TRACE(name);
    const CausalLM model = test::load_tiny(name);
    const at::Tensor prefix = row_of(name).narrow(1, 0, 12);
    const at::Tensor first = row_of(name, 1).narrow(1, 0, 3);
    const at::Tensor second = row_of(name, 1).narrow(1, 7, 5);
    const at::Tensor first_alone = forward_hidden(model, at::cat({prefix, first}, 1));
    const at::Tensor second_alone = forward_hidden(model, at::cat({prefix, second}, 1));

    KvCache cache(model.config, 1, 20, at::kFloat, at::kCPU);
    forward_hidden(model, prefix, {}, &cache);
    const at::Tensor packed = forward_hidden(
        model, at::cat({first, second}, 1), packed_layout({3, 5}, 12, at::kCPU), &cache);
    EXPECT_LE(test::relative_difference(packed.narrow(1, 0, 3), first_alone.narrow(1, 12, 3)),
              kReordered);
    EXPECT_LE(test::relative_difference(packed.narrow(1, 3, 5), second_alone.narrow(1, 12, 5)),
              kReordered);

    cache.truncate(12);
    KvCache rows = cache.rows({0, 0}, 17);
    const at::Tensor padded = at::cat({at::constant_pad_nd(first, {0, 2}), second}, 0);
    const at::Tensor batch = forward_hidden(model, padded, {}, &rows);
    EXPECT_LE(test::relative_difference(batch[0].narrow(0, 0, 3), first_alone[0].narrow(0, 12, 3)),
              kReordered);
    EXPECT_LE(test::relative_difference(batch[1], second_alone[0].narrow(0, 12, 5)), kReordered);
  }
}

TEST(Forward, RunsOnTheMetaDevice) {
  CausalLM model = test::load_tiny("qwen2_window");
  for (const ExpectedTensor& expected : expected_tensors(model.config)) {
    tensor_of(model, expected) = tensor_of(model, expected).to(at::kMeta);
  }
  const at::Tensor ids = at::zeros({2, 24}, at::TensorOptions(at::kLong).device(at::kMeta));
  const at::Tensor scores = logits(model, forward_hidden(model, ids));
  EXPECT_TRUE(scores.is_meta());
  EXPECT_EQ(scores.sizes(), at::IntArrayRef({2, 24, 64}));
}

TEST(Forward, LeavesItsInputAsItWas) {
  const CausalLM model = test::load_tiny("llama3");
  const ForwardPass pass = begin_pass(model, row_of("llama3"));
  const at::Tensor hidden = embed(model, row_of("llama3"));
  const at::Tensor before = hidden.clone();
  run_layers(model, hidden, 0, 4, pass);
  EXPECT_TRUE(at::equal(hidden, before));
}

TEST(TokenLosses, AreTheCrossEntropyOfTheLogits) {
  const CausalLM model = test::load_tiny("llama3");
  auto reference = test::reference_of("llama3");
  const at::Tensor losses = next_token_losses(model, reference["input_ids"]);
  EXPECT_EQ(losses.sizes(), at::IntArrayRef({2, 23}));
  EXPECT_NEAR(losses.mean().item<double>(), reference["loss"].item<double>(), 1e-5);
}

TEST(Generate, GivesEachPromptOfABatchWhatItGetsAlone) {
  for (const std::string name : kModels) {
    SCOPED_TRACE(name);
    const CausalLM model = test::load_tiny(name);
    const std::vector<std::vector<int32_t>> prompts{{5, 9, 14, 30}, {7}, {11, 3, 40, 8, 22, 17, 6}};
    const auto together = generate(model, prompts, {.max_new_tokens = 12});
    for (size_t prompt = 0; prompt < prompts.size(); ++prompt) {
      EXPECT_EQ(together[prompt], generate(model, {prompts[prompt]}, {.max_new_tokens = 12})[0]);
    }
  }
}

TEST(Generate, ComputesWhatAllPromptsBeginWithOnceAndChangesNothing) {
  for (const std::string name : kModels) {
    SCOPED_TRACE(name);
    const CausalLM model = test::load_tiny(name);
    std::vector<int32_t> prefix;
    for (int32_t i = 0; i < 20; ++i) {
      prefix.push_back(3 + i * 7 % 40);
    }
    std::vector<std::vector<int32_t>> prompts(4, prefix);
    prompts[1].insert(prompts[1].end(), {9, 14, 30});
    prompts[2].push_back(8);
    prompts[3].push_back(8);
    const auto together = generate(model, prompts, {.max_new_tokens = 12});
    for (size_t prompt = 0; prompt < prompts.size(); ++prompt) {
      EXPECT_EQ(together[prompt], generate(model, {prompts[prompt]}, {.max_new_tokens = 12})[0]);
    }
  }
}

TEST(Generate, GuessesWithoutChangingWhatIsDrawn) {
  const CausalLM model = test::load_tiny("llama3");
  const std::vector<int32_t> prompt{5, 9, 14, 5, 9, 14, 5, 9};
  for (const double temperature : {0.0, 0.3}) {  // Both repeat themselves here.
    const SamplingOptions sampling{.temperature = temperature, .seed = 3};
    Sampler sampler(sampling, /*stream=*/0);
    std::vector<int32_t> tokens = prompt;
    for (int step = 0; step < 60; ++step) {
      const at::Tensor ids = at::tensor(tokens, at::kLong).unsqueeze(0);
      const at::Tensor last = logits(model, forward_hidden(model, ids)).select(1, -1)[0];
      tokens.push_back(
          sampler.sample({last.const_data_ptr<float>(), static_cast<size_t>(last.numel())}));
    }
    const auto generated =
        generate(model, {prompt}, {.max_new_tokens = 60, .sampling = sampling})[0];
    EXPECT_EQ(generated, std::vector<int32_t>(tokens.begin() + 8, tokens.end()));
  }
}

TEST(Generate, DrawsFromTheStreamThatIsNamed) {
  const CausalLM model = test::load_tiny("llama3");
  const GenerationOptions options{
      .max_new_tokens = 8, .sampling = {.temperature = 1.0, .seed = 3}, .streams = {7, 4}};
  const auto both = generate(model, {{5, 9}, {5, 9}}, options);
  EXPECT_NE(both[0], both[1]);
  GenerationOptions alone = options;
  alone.streams = {4};
  EXPECT_EQ(generate(model, {{5, 9}}, alone)[0], both[1]);
}

TEST(Generate, GoesOnInTheBatchWhenOnePromptIsDone) {
  const CausalLM model = test::load_tiny("llama3");
  const std::vector<std::vector<int32_t>> prompts{{5, 9, 14, 30}, {7}, {11, 3, 40}};
  const auto whole = generate(model, prompts, {.max_new_tokens = 10});
  std::vector<size_t> seen(3, 0);
  const auto cut =
      generate(model, prompts, {.max_new_tokens = 10}, [&](size_t prompt, int32_t token) {
        EXPECT_EQ(token, whole[prompt][seen[prompt]]);
        return ++seen[prompt] < 3 || prompt != 1;
      });
  EXPECT_EQ(cut[0], whole[0]);
  EXPECT_EQ(cut[1], std::vector<int32_t>(whole[1].begin(), whole[1].begin() + 3));
  EXPECT_EQ(cut[2], whole[2]);
}

TEST(Generate, DrawsTheSameForASeedAndOtherwiseForAnother) {
  const CausalLM model = test::load_tiny("llama3");
  const auto drawn = [&](uint64_t seed) {
    return generate(
        model, {{5, 9}}, {.max_new_tokens = 20, .sampling = {.temperature = 1.0, .seed = seed}})[0];
  };
  EXPECT_EQ(drawn(1), drawn(1));
  EXPECT_NE(drawn(1), drawn(2));
}

}  // namespace
}  // namespace slayer
