#include "slayer/train/options.h"

#include <gtest/gtest.h>

#include "tests/support/error_message.h"

namespace slayer {
namespace {

TrainFacts facts() {
  return {.checkpoint_hash = "c",
          .data_key = "d",
          .corpus_tokens = 100'000,
          .max_position_embeddings = 4096,
          .cores = 4};
}

TEST(Resolve, ChoosesWhatIsLeftOpen) {
  const TrainOptions options = resolve({}, facts());
  EXPECT_EQ(options.seq_len, 2048);
  EXPECT_EQ(options.steps, 7);  // 49 sequences, 8 a step
  EXPECT_EQ(options.warmup, 1);
  EXPECT_EQ(options.micro_batch_size, 1);
  EXPECT_EQ(options.threads, 4);
}

TEST(Resolve, KeepsWhatIsGiven) {
  TrainOptions asked;
  asked.seq_len = 512;
  asked.steps = 1000;
  const TrainOptions options = resolve(asked, facts());
  EXPECT_EQ(options.seq_len, 512);
  EXPECT_EQ(options.steps, 1000);
  EXPECT_EQ(options.warmup, 60);
  EXPECT_EQ(options.micro_batch_size, 4);
}

TEST(Resolve, RefusesMorePositionsThanTheModelHas) {
  TrainOptions asked;
  asked.seq_len = 4097;
  EXPECT_EQ(message_of([&] { resolve(asked, facts()); }),
            "--seq-len: found 4097, expected at most 4096, the positions that the model knows");
}

TEST(Validate, NamesTheOption) {
  TrainOptions options;
  options.batch_size = 0;
  EXPECT_EQ(message_of([&] { validate(options); }), "--batch-size: found 0, expected at least 1");
  options = {};
  options.lr = -1.0;
  EXPECT_EQ(message_of([&] { validate(options); }),
            "--lr: found -1, expected a number from 0 to 1");
}

TEST(RequireSameSettings, LetsOnlyStepsGrow) {
  TrainOptions options = resolve({}, facts());
  const Json stored = settings_to_json(options, facts());
  EXPECT_EQ(message_of([&] { require_same_settings(stored, stored, "training.json"); }),
            "no error");
  options.steps = *options.steps + 1;
  const Json longer = settings_to_json(options, facts());
  EXPECT_EQ(message_of([&] { require_same_settings(stored, longer, "training.json"); }),
            "no error");
  EXPECT_EQ(message_of([&] { require_same_settings(longer, stored, "training.json"); }),
            "training.json: --steps: found 7 now, expected 8 or more, as it began (--force begins "
            "anew, another --out keeps both)");
}

TEST(RequireSameSettings, NamesEveryOptionThatChanged) {
  const TrainOptions options = resolve({}, facts());
  const Json stored = settings_to_json(options, facts());
  for (const auto& [key, value] : stored.items()) {
    if (key == "format" || key == "steps") {
      continue;
    }
    SCOPED_TRACE(key);
    Json changed = stored;
    changed[key] = "other";
    const std::string message =
        message_of([&] { require_same_settings(stored, changed, "training.json"); });
    EXPECT_EQ(message,
              "training.json: " + std::string(key == "checkpoint" ? "" : "--") + key +
                  ": found \"other\" now, expected " + value.dump() +
                  ", as it began (--force begins anew, another --out keeps both)");
  }
}

TEST(KeepChoices, TakesOverWhatWasChosen) {
  TrainOptions began;
  began.seq_len = 128;
  const Json stored = settings_to_json(resolve(began, facts()), facts());
  TrainOptions options;
  options.threads = 2;
  keep_choices(options, stored, "training.json");
  EXPECT_EQ(options.seq_len, 128);
  EXPECT_EQ(options.micro_batch_size, 8);
  EXPECT_EQ(options.threads, 2);
}

}  // namespace
}  // namespace slayer
