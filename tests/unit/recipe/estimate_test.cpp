#include "slayer/recipe/estimate.h"

#include <gtest/gtest.h>

#include "slayer/core/file.h"
#include "slayer/train/job.h"

#include "tests/support/scratch_folder.h"

namespace slayer {
namespace {

/// What --dry-run says of a training before there is one, and the training's own forecast.
class Estimate : public testing::Test {
 protected:
  void expect_forecast(const std::string& training) {
    const std::filesystem::path base = SLAYER_FIXTURES "/models/smollm";
    write_text_file(folder_ / "t.jsonl", "{\"text\": \"some text to learn\"}\n");
    write_text_file(folder_ / "r.toml", "base = \"" + base.string() + R"("
[plan]
strategy = "passthrough"
ranges = "0:4"
[train]
data = ["t.jsonl"]
steps = 1
batch_size = 3
micro_batch_size = 2
seq_len = 16
recompute = false
)" + training + R"(
[eval]
domain = ["t.jsonl"]
general = ["t.jsonl"]
)");
    const Recipe recipe = read_recipe(folder_ / "r.toml");
    const std::filesystem::path run = folder_ / "run";
    const Job job(recipe, {.run = run, .plan = run, .train = run, .sft = run, .own = run}, {});
    TrainOptions options = recipe.train;
    options.checkpoint = base;
    options.out = folder_ / "out";
    const TrainingMemory expected = forecast(prepare(options, {})).memory;
    const Estimator estimator(job, /*flops=*/1e9);
    EXPECT_EQ(estimator.of("train").memory_bytes, expected.total());
    EXPECT_EQ(estimator.least_memory("train"), expected.state());
  }

  ScratchFolder folder_;
};

TEST_F(Estimate, IsTheTrainingsForecastOfAdapters) {
  expect_forecast("method = \"lora\"\nlora_rank = 4\ncompute = \"bfloat16\"");
}

TEST_F(Estimate, IsTheTrainingsForecastOfAllWeights) {
  expect_forecast("method = \"full\"\ncompute = \"float32\"");
}

TEST_F(Estimate, IsTheTrainingsForecastOfFrozenIntegers) {
  expect_forecast(
      "method = \"last-k\"\nlast_k = 1\nfrozen_weights = \"int8\"\ncompute = \"float32\"");
}

}  // namespace
}  // namespace slayer
