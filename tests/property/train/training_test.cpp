#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sstream>

#include "slayer/checkpoint/checkpoint.h"
#include "slayer/core/error.h"
#include "slayer/core/json.h"
#include "slayer/train/trainer.h"

#include "tests/support/checkpoint_bytes.h"
#include "tests/support/text_file.h"
#include "tests/support/training_checkpoint.h"

namespace slayer {
namespace {

namespace fs = std::filesystem;

/// A checkpoint, text and options for a training of a second.
class Training : public testing::Test {
 protected:
  Training() {
    options.checkpoint = write_training_checkpoint(folder / "ckpt");
    std::string lines;
    for (int i = 0; i < 40; ++i) {
      lines += fmt::format("{{\"text\": \"line {} of a text that repeats itself\"}}\n", i);
    }
    options.data = {file_in(folder, "text.jsonl", lines)};
    options.out = folder / "out";
    options.steps = 6;
    options.warmup = 1;
    options.seq_len = 32;
    options.batch_size = 4;
    options.micro_batch_size = 4;
    options.threads = 1;
    options.lr = 1e-2;
    options.save_every = 2;
  }

  TrainSummary run() const { return train(prepare(options, {}), {}); }

  /// The losses in metrics.jsonl.
  std::vector<double> losses() const {
    std::vector<double> values;
    std::istringstream lines(read_text_file(options.out / "metrics.jsonl"));
    for (std::string line; std::getline(lines, line);) {
      values.push_back(Json::parse(line)["loss"]);
    }
    return values;
  }

  ScratchFolder folder;
  TrainOptions options;
};

TEST_F(Training, ChangesTheTrainedLayersAndNothingElse) {
  run();
  const Checkpoint before = Checkpoint::open(options.checkpoint);
  const Checkpoint after = Checkpoint::open(options.out / "model");
  for (const TensorInfo& tensor : before.tensors()) {
    const bool is_trained = tensor.name.find("layers.1.") != std::string::npos ||
                            tensor.name.find("layers.3.") != std::string::npos;
    EXPECT_EQ(bytes_of(before, tensor.name) != bytes_of(after, tensor.name), is_trained)
        << tensor.name;
  }
  std::map<std::string, std::string> files = files_of(options.checkpoint);
  for (const char* name : {"model.safetensors", "slayer.json"}) {
    files.erase(name);
  }
  const std::map<std::string, std::string> written = files_of(options.out / "model");
  for (const auto& [name, content] : files) {
    EXPECT_EQ(written.at(name), content) << name;
  }
}

TEST_F(Training, LowersTheLoss) {
  options.steps = 20;
  run();
  const std::vector<double> all = losses();
  ASSERT_EQ(all.size(), 20U);
  EXPECT_LT(all.back(), 0.8 * all.front());
}

TEST_F(Training, GoesOnBitForBitFromACheckpoint) {
  run();
  const std::map<std::string, std::string> whole = files_of(options.out / "model");
  const std::vector<double> all = losses();
  fs::remove_all(options.out / "model");
  fs::remove_all(options.out / "checkpoints/step-6");
  run();
  EXPECT_EQ(files_of(options.out / "model"), whole);
  EXPECT_EQ(losses(), all);
  EXPECT_FALSE(fs::exists(options.out / "checkpoints/step-2")) << "only the last two are kept";
}

TEST_F(Training, IsTheSameAgainForTheSameSeedOnly) {
  run();
  const std::vector<double> first = losses();
  options.out = folder / "again";
  run();
  EXPECT_EQ(losses(), first);
  options.out = folder / "other";
  options.seed = 1;
  run();
  EXPECT_NE(losses(), first);
}

TEST_F(Training, TakesTheSameStepsInMicroBatches) {
  run();
  const std::vector<double> together = losses();
  options.out = folder / "micro";
  options.micro_batch_size = 3;  // does not divide the batch: 3 and 1
  run();
  const std::vector<double> apart = losses();
  ASSERT_EQ(apart.size(), together.size());
  for (size_t i = 0; i < apart.size(); ++i) {
    EXPECT_NEAR(apart[i], together[i], 1e-4 * together[i]) << i;
  }
}

TEST_F(Training, KeepsFloat32MastersForBfloat16) {
  run();
  const std::vector<double> in_float32 = losses();
  options.out = folder / "bfloat16";
  options.dtype = "bfloat16";
  run();
  const std::vector<double> in_bfloat16 = losses();
  ASSERT_EQ(in_bfloat16.size(), in_float32.size());
  // 8 bits of mantissa through 4 layers: a few roundings of 2^-8 each.
  for (size_t i = 0; i < in_float32.size(); ++i) {
    EXPECT_NEAR(in_bfloat16[i], in_float32[i], 0.05 * in_float32[i]) << i;
  }
}

TEST_F(Training, LeavesAFinishedTrainingAsItIs) {
  run();
  const std::map<std::string, std::string> files = files_of(options.out);
  const TrainSummary summary = run();
  EXPECT_EQ(summary.steps, 6);
  EXPECT_EQ(summary.tokens, 6 * 4 * 32);
  EXPECT_EQ(files_of(options.out), files);
}

TEST_F(Training, GrowsByMoreSteps) {
  run();
  options.steps = 8;
  run();
  EXPECT_EQ(losses().size(), 8U);
  const Json record = read_json_file(options.out / "model/slayer.json");
  EXPECT_EQ(record["training"]["step"], 8);
}

TEST_F(Training, BeginsAnewWithForce) {
  run();
  options.lr = 1e-3;
  options.force = true;
  run();
  EXPECT_EQ(losses().size(), 6U);
  EXPECT_EQ(read_json_file(options.out / "training.json")["lr"], 1e-3);
}

TEST_F(Training, StopsWhenAskedAndSaysHowToGoOn) {
  std::stop_source stop;
  stop.request_stop();
  const TrainJob job = prepare(options, {});
  try {
    train(job, {.stop = stop.get_token()});
    FAIL() << "was not interrupted";
  } catch (const Interrupted& interruption) {
    EXPECT_STREQ(interruption.what(), "run the same command again to go on after step 0 of 6");
  }
  EXPECT_FALSE(fs::exists(options.out / "model"));
}

}  // namespace
}  // namespace slayer
