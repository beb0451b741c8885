#include <gtest/gtest.h>

#include "slayer/model/load.h"
#include "slayer/train/job.h"
#include "slayer/train/trainable.h"

#include "tests/support/text_file.h"
#include "tests/support/training_checkpoint.h"

namespace slayer {
namespace {

/// Layers 1 and 3 of the tiny SmolLM2 train.
class Forecast : public testing::Test {
 protected:
  Forecast() {
    options.checkpoint = write_training_checkpoint(folder / "ckpt");
    options.data = {file_in(folder, "text.jsonl", "{\"text\": \"some text to learn\"}\n")};
    options.out = folder / "out";
    options.seq_len = 16;
    options.recompute = false;
  }

  TrainForecast predict() const { return forecast(prepare(options, {})); }

  ScratchFolder folder;
  TrainOptions options;
};

TEST_F(Forecast, KeepsOneLayersActivationsWhereTheyAreRecomputed) {
  const TrainForecast kept = predict();
  options.recompute = true;
  const TrainForecast recomputed = predict();
  // Of the three layers from the first trained one on: one whole, the input of each, and buffers.
  EXPECT_GT(recomputed.memory.activations, kept.memory.activations / 3);
  EXPECT_LT(recomputed.memory.activations, 2 * kept.memory.activations / 3);
  EXPECT_EQ(recomputed.memory.weights, kept.memory.weights);
}

TEST_F(Forecast, CountsWhatAdaptersKeepOfEachToken) {
  options.method.method = Method::kLora;
  options.method.lora_rank = 4;
  options.method.lora_targets = {"q_proj", "down_proj"};
  const TrainForecast two = predict();
  options.method.lora_targets = {"q_proj"};
  const TrainForecast one = predict();
  const TrainJob job = prepare(options, {});
  const int64_t tokens = job.choices.micro_batch_size * job.choices.seq_len;
  EXPECT_EQ(two.memory.activations - one.memory.activations,
            tokens * job.checkpoint.config().num_hidden_layers * 4 * int64_t{sizeof(float)});
}

TEST_F(Forecast, CountsTheFrozenLayersIntegers) {
  const TrainForecast exact = predict();
  options.has_int8_frozen = true;
  const TrainForecast rounded = predict();
  CausalLM model = load_causal_lm(Checkpoint::open(options.checkpoint), at::kFloat, at::kCPU);
  make_trainable(model, {.layers = {1, 3}}, /*seed=*/0);
  const CausalLM with_int8 = with_int8_frozen(model);
  int64_t bytes = with_int8.int8_lm_head.values.numel();
  for (const DecoderLayer& layer : with_int8.layers) {
    for (const auto& [role, weight] : layer.int8_weights) {
      bytes += weight.weight.values.numel() + weight.transposed.values.numel();
    }
  }
  EXPECT_GT(bytes, 0);
  EXPECT_EQ(rounded.memory.weights - exact.memory.weights, bytes);
}

}  // namespace
}  // namespace slayer
