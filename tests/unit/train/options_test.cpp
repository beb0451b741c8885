#include "slayer/train/options.h"

#include <gtest/gtest.h>

#include "tests/support/error_message.h"

namespace slayer {
namespace {

TrainFacts facts() {
  return {.checkpoint_hash = "c",
          .data_key = "d",
          .draws_per_epoch = [](int64_t seq_len, Packing) { return 100'000 / seq_len + 1; },
          .quicker_compute = [] { return "bfloat16"; },
          .max_position_embeddings = 4096,
          .cores = 4};
}

Json settings_of(const TrainOptions& options) {
  return settings_to_json(options, resolve(options, facts()), facts());
}

TEST(Resolve, ChoosesWhatIsLeftOpen) {
  const TrainChoices choices = resolve({}, facts());
  EXPECT_EQ(choices.seq_len, 2048);
  EXPECT_EQ(choices.steps, 7);  // 49 sequences, 8 a step
  EXPECT_EQ(choices.warmup, 1);
  EXPECT_EQ(choices.micro_batch_size, 1);
  EXPECT_EQ(choices.threads, 4);
  EXPECT_EQ(choices.compute, "bfloat16");
  EXPECT_FALSE(choices.recompute);
}

TEST(Resolve, KeepsWhatIsGiven) {
  TrainOptions asked;
  asked.seq_len = 512;
  asked.steps = 1000;
  asked.compute = "float32";
  const TrainChoices choices = resolve(asked, facts());
  EXPECT_EQ(choices.seq_len, 512);
  EXPECT_EQ(choices.steps, 1000);
  EXPECT_EQ(choices.warmup, 60);
  EXPECT_EQ(choices.micro_batch_size, 4);
  EXPECT_EQ(choices.compute, "float32");
}

TEST(Resolve, ComputesInFloat32BesideIntegers) {
  TrainOptions asked;
  asked.has_int8_frozen = true;
  EXPECT_EQ(resolve(asked, facts()).compute, "float32");
}

TEST(Resolve, RefusesMorePositionsThanTheModelHas) {
  TrainOptions asked;
  asked.seq_len = 4097;
  EXPECT_EQ(message_of([&] { resolve(asked, facts()); }),
            "--seq-len: found 4097, expected at most 4096, the positions that the model knows");
}

TEST(Resolve, ChoosesTheLearningRateByMethod) {
  TrainOptions asked;
  EXPECT_EQ(resolve(asked, facts()).lr, 2e-4);
  asked.method.method = Method::kLora;
  EXPECT_EQ(resolve(asked, facts()).lr, 2e-4);
  asked.method.method = Method::kFull;
  EXPECT_EQ(resolve(asked, facts()).lr, 2e-5);
  asked.lr = 1e-3;
  EXPECT_EQ(resolve(asked, facts()).lr, 1e-3);
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

TEST(Validate, NamesWhatBelongsToAnotherOption) {
  TrainOptions options;
  options.decay_steps = 3;
  EXPECT_EQ(message_of([&] { validate(options); }),
            "--decay-steps: found --schedule cosine, expected --schedule wsd");
  options = {};
  options.eval_every = 3;
  EXPECT_EQ(message_of([&] { validate(options); }),
            "--eval-every: found no text, expected held-out text to watch: --eval-domain, "
            "--eval-general or --holdout");
  options = {};
  options.eval_domain = {"a.txt"};
  options.stop_if_forgetting = 0.05;
  EXPECT_EQ(message_of([&] { validate(options); }),
            "--stop-if-forgetting: found no text, expected text that must not be forgotten: "
            "--eval-general");
  options.stop_if_forgetting = -1.0;
  EXPECT_EQ(message_of([&] { validate(options); }),
            "--stop-if-forgetting: found -1, expected a number from 0 to 1000000000");
  options = {};
  options.lr = 1e-4;
  options.min_lr = 1e-3;
  EXPECT_EQ(message_of([&] { validate(options); }),
            "--min-lr: found 0.001, expected a number from 0 to 0.0001");
}

TEST(Validate, NamesWhatIntegersCannotStandInFor) {
  TrainOptions options;
  options.data = {"a.txt"};
  options.has_int8_frozen = true;
  EXPECT_EQ(message_of([&] { validate(options); }), "no error");
  options.method.method = Method::kFull;
  EXPECT_EQ(message_of([&] { validate(options); }),
            "--frozen-weights int8: found --method full, expected a method that freezes layers");
  options.method.method = Method::kLora;
  options.compute = "bfloat16";
  EXPECT_EQ(message_of([&] { validate(options); }),
            "--frozen-weights int8: found --compute bfloat16, expected --compute float32");
  options.compute = "float32";
  options.device = "cuda";
  EXPECT_EQ(message_of([&] { validate(options); }),
            "--frozen-weights int8: found --device cuda, expected --device cpu");
}

TEST(Validate, NamesWhatIsWrongWithTheData) {
  TrainOptions options;
  options.holdout = 1.0;
  EXPECT_EQ(message_of([&] { validate(options); }),
            "--holdout: found 1, expected a number from 0 to 0.9");
  options.holdout = 0.1;
  options.format = DocumentFormat::kAlpaca;
  EXPECT_EQ(message_of([&] { validate(options); }),
            "--holdout: found --format alpaca, expected --format text");
  options = {};
  options.data = {"a=1", "b"};
  EXPECT_EQ(message_of([&] { validate(options); }),
            "--data: b: found no weight, expected a weight for every text, or for none");
}

TEST(Resolve, KeepsConversationsWhole) {
  TrainOptions asked;
  EXPECT_EQ(resolve(asked, facts()).packing, Packing::kDocuments);
  asked.format = DocumentFormat::kMessages;
  EXPECT_EQ(resolve(asked, facts()).packing, Packing::kWhole);
  asked.packing = Packing::kStream;
  EXPECT_EQ(resolve(asked, facts()).packing, Packing::kStream);
}

TEST(Resolve, ChoosesSharesOfTheSteps) {
  TrainOptions asked;
  asked.steps = 95;
  EXPECT_EQ(resolve(asked, facts()).decay_steps, 0);
  EXPECT_EQ(resolve(asked, facts()).eval_every, 0);
  asked.schedule = ScheduleShape::kWsd;
  asked.eval_general = {"a.txt"};
  EXPECT_EQ(resolve(asked, facts()).decay_steps, 10);
  EXPECT_EQ(resolve(asked, facts()).eval_every, 10);
}

TEST(RequireSameSettings, NamesAnOptionThatIsGone) {
  TrainOptions options;
  options.lr_scales = {{"new", 2.0}};
  const Json stored = settings_of(options);
  options.lr_scales.clear();
  EXPECT_EQ(
      message_of([&] { require_same_settings(stored, settings_of(options), "training.json"); }),
      "training.json: --lr-scale: found null now, expected {\"new\":2.0}, as it began (--force "
      "begins anew, another --out keeps both)");
}

TEST(RequireSameSettings, LetsOnlyStepsGrow) {
  TrainOptions options;
  options.steps = 7;
  const Json stored = settings_of(options);
  EXPECT_EQ(message_of([&] { require_same_settings(stored, stored, "training.json"); }),
            "no error");
  options.steps = 8;
  const Json longer = settings_of(options);
  EXPECT_EQ(message_of([&] { require_same_settings(stored, longer, "training.json"); }),
            "no error");
  EXPECT_EQ(message_of([&] { require_same_settings(longer, stored, "training.json"); }),
            "training.json: --steps: found 7 now, expected 8 or more, as it began (--force begins "
            "anew, another --out keeps both)");
}

TEST(RequireSameSettings, NamesEveryOptionThatChanged) {
  const Json stored = settings_of({});
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
              "training.json: " + std::string(key == "checkpoint" ? "" : "--") +
                  (key == "rows" ? "format" : key) + ": found \"other\" now, expected " +
                  compact_text(value) +
                  ", as it began (--force begins anew, another --out keeps both)");
  }
}

TEST(KeepChoices, TakesOverWhatWasChosen) {
  TrainOptions began;
  began.seq_len = 128;
  const Json stored = settings_of(began);
  TrainOptions options;
  options.threads = 2;
  keep_choices(options, stored, "training.json");
  EXPECT_EQ(options.seq_len, 128);
  EXPECT_EQ(options.micro_batch_size, 8);
  EXPECT_EQ(options.threads, 2);
}

TEST(KeepChoices, KeepsWhetherActivationsAreRecomputed) {
  TrainChoices began = resolve({}, facts());
  began.recompute = true;  // chosen when memory was short
  const Json stored = settings_to_json({}, began, facts());
  TrainOptions options;
  keep_choices(options, stored, "training.json");
  EXPECT_EQ(options.recompute, true);
  options.recompute = false;
  keep_choices(options, stored, "training.json");
  EXPECT_EQ(options.recompute, false) << "what is asked for is not overruled, but refused later";
}

TEST(KeepChoices, KeepsTheArithmeticThatWasFoundQuicker) {
  TrainChoices began = resolve({}, facts());
  began.compute = "bfloat16";  // measured, maybe on another machine
  const Json stored = settings_to_json({}, began, facts());
  TrainOptions options;
  keep_choices(options, stored, "training.json");
  EXPECT_EQ(options.compute, "bfloat16");
}

}  // namespace
}  // namespace slayer
