#include <fmt/format.h>
#include <gtest/gtest.h>
#include <map>
#include <set>
#include <sstream>

#include "slayer/checkpoint/checkpoint.h"
#include "slayer/core/error.h"
#include "slayer/core/file.h"
#include "slayer/core/json.h"
#include "slayer/train/folder.h"
#include "slayer/train/trainer.h"

#include "tests/support/checkpoint_bytes.h"
#include "tests/support/error_message.h"
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
      values.push_back(parse_json(line, "test")["loss"]);
    }
    return values;
  }

  ScratchFolder folder;
  TrainOptions options;
};

/// The plan trains layers 1 and 3.
void expect_only_the_plan_trained(const Checkpoint& before, const Checkpoint& after) {
  for (const TensorInfo& tensor : before.tensors()) {
    const bool is_trained = tensor.name.find("layers.1.") != std::string::npos ||
                            tensor.name.find("layers.3.") != std::string::npos;
    EXPECT_EQ(bytes_of(before, tensor.name) != bytes_of(after, tensor.name), is_trained)
        << tensor.name;
  }
}

TEST_F(Training, ChangesTheTrainedLayersAndNothingElse) {
  run();
  expect_only_the_plan_trained(Checkpoint::open(options.checkpoint),
                               Checkpoint::open(options.out / "model"));
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
  const auto event_bytes = fs::file_size(TrainFolder(options.out).events_file());
  fs::remove_all(options.out / "model");
  fs::remove_all(options.out / "checkpoints/step-6");
  run();
  EXPECT_EQ(files_of(options.out / "model"), whole);
  EXPECT_EQ(losses(), all);
  EXPECT_EQ(fs::file_size(TrainFolder(options.out).events_file()), event_bytes) << "no step twice";
  EXPECT_FALSE(fs::exists(options.out / "checkpoints/step-2")) << "only the last two are kept";
}

/// Every method of its own; GoesOnBitForBitFromACheckpoint has the plan's.
const std::map<std::string, MethodOptions>& other_methods() {
  static const std::map<std::string, MethodOptions> methods{
      {"last-k", {.method = Method::kLastK, .last_k = 1}},
      {"layers", {.method = Method::kLayers, .layers = {0, 2}}},
      {"full", {.method = Method::kFull}},
      {"lora", {.method = Method::kLora, .lora_rank = 4}}};
  return methods;
}

TEST_F(Training, GoesOnBitForBitByEveryMethod) {
  fs::remove(options.checkpoint / "slayer.json");  // a checkpoint that slayer never saw
  for (const auto& [name, method] : other_methods()) {
    SCOPED_TRACE(name);
    options.method = method;
    options.out = folder / name;
    run();
    const std::map<std::string, std::string> whole = files_of(options.out / "model");
    const std::vector<double> all = losses();
    EXPECT_LT(all.back(), all.front());
    fs::remove_all(options.out / "model");
    fs::remove_all(options.out / "checkpoints/step-6");
    run();
    EXPECT_EQ(files_of(options.out / "model"), whole);
    EXPECT_EQ(losses(), all);
    EXPECT_EQ(run().steps, 6) << "a finished training is left as it is";
  }
}

TEST_F(Training, ChangesWhatTheMethodNames) {
  const auto changed = [this](const MethodOptions& method, const std::string& out) {
    options.method = method;
    options.out = folder / out;
    run();
    const Checkpoint before = Checkpoint::open(options.checkpoint);
    const Checkpoint after = Checkpoint::open(options.out / "model");
    std::set<std::string> names;
    for (const TensorInfo& tensor : before.tensors()) {
      if (bytes_of(before, tensor.name) != bytes_of(after, tensor.name)) {
        names.insert(tensor.name);
      }
    }
    return names;
  };
  const Checkpoint checkpoint = Checkpoint::open(options.checkpoint);
  EXPECT_EQ(changed(other_methods().at("full"), "full").size(), checkpoint.tensors().size());
  for (const std::string& name : changed(other_methods().at("last-k"), "last-k")) {
    EXPECT_NE(name.find("layers.3."), std::string::npos) << name;
  }
  const MethodOptions lora{.method = Method::kLora, .lora_targets = {"q_proj", "down_proj"}};
  const std::set<std::string> merged = changed(lora, "lora");
  EXPECT_EQ(merged.size(), 8U);
  EXPECT_TRUE(merged.contains("model.layers.0.self_attn.q_proj.weight"));
  EXPECT_TRUE(merged.contains("model.layers.3.mlp.down_proj.weight"));
}

TEST_F(Training, GoesOnFromAnAdapter) {
  options.method = other_methods().at("lora");
  run();
  const double last = losses().back();
  options.method.adapter = options.out / "adapter";
  options.method.lora_rank.reset();
  options.out = folder / "second";
  run();
  EXPECT_EQ(read_json_file(options.out / "training.json")["lora-rank"], 4);
  EXPECT_LT(losses().front(), 1.2 * last) << "begins where the first training ended";
}

TEST_F(Training, MarksTheLayersThatItTrainedInThePlan) {
  options.method = other_methods().at("layers");
  run();
  const Json record = read_json_file(options.out / "model/slayer.json");
  std::vector<bool> marks;
  for (const Json& layer : record["plan"]["layers"]) {
    marks.push_back(layer["train"]);
  }
  EXPECT_EQ(marks, (std::vector<bool>{true, true, true, true})) << "1 and 3 were marked before";
}

/// A training that looks at texts which it makes worse: other languages.
class WatchedTraining : public Training {
 protected:
  WatchedTraining() {
    options.steps = 12;
    options.eval_every = 2;
    options.save_every = 5;
    options.eval_domain = {file_in(folder, "held.txt", "line 77 of a text that repeats itself")};
    options.eval_general = {file_in(folder, "general.txt", "日本語日本語日本語日本語")};
  }

  /// The key's values in metrics.jsonl, by step.
  std::map<int64_t, double> column(const std::string& key) const {
    std::map<int64_t, double> values;
    std::istringstream lines(read_text_file(options.out / "metrics.jsonl"));
    for (std::string line; std::getline(lines, line);) {
      const Json json = parse_json(line, "test");
      if (json.contains(key)) {
        values[json["step"]] = json[key];
      }
    }
    return values;
  }
};

TEST_F(WatchedTraining, LooksAtTheTextsAndKeepsTheBestCheckpoint) {
  run();
  const std::map<int64_t, double> losses = column("domain_loss");
  EXPECT_EQ(losses.size(), 7U) << "one look before the first step";
  EXPECT_EQ(column("forgetting").size(), 7U);
  EXPECT_EQ(column("forgetting").at(0), 0.0);
  const std::map<int64_t, double> cpu_seconds = column("cpu_seconds");
  EXPECT_EQ(cpu_seconds.at(0), 0.0);
  EXPECT_LT(cpu_seconds.at(1), cpu_seconds.at(12));
  const auto best = std::ranges::min_element(losses, {}, [](const auto& l) { return l.second; });
  EXPECT_TRUE(fs::exists(options.out / fmt::format("checkpoints/step-{}/state.json", best->first)));
}

TEST_F(WatchedTraining, StopsWhenItForgetsAndWritesTheBestModel) {
  run();
  const std::map<int64_t, double> forgetting = column("forgetting");
  const double most = forgetting.rbegin()->second;
  ASSERT_GT(most, 0.0) << "the general text gets worse";
  // A limit that the last looks pass and the first does not.
  options.stop_if_forgetting = 0.5 * (std::max(forgetting.at(2), 0.0) + most);
  options.out = folder / "stopped";
  const TrainSummary summary = run();
  EXPECT_LT(summary.steps, 12);
  EXPECT_LE(column("forgetting").at(summary.steps), *options.stop_if_forgetting);
  EXPECT_GT(column("forgetting").rbegin()->second, *options.stop_if_forgetting);
  const std::map<std::string, std::string> whole = files_of(options.out);
  EXPECT_EQ(run().steps, summary.steps) << "it stays stopped";
  EXPECT_EQ(files_of(options.out), whole);
  fs::remove_all(options.out / "model");
  EXPECT_EQ(run().steps, summary.steps);
  EXPECT_EQ(files_of(options.out), whole) << "killed before the model was written";
}

TEST_F(WatchedTraining, SaysSoWhenNoCheckpointIsGoodEnough) {
  options.stop_if_forgetting = 0.0;
  options.lr = 0.1;
  const std::string message =
      "step 2: found more forgotten than --stop-if-forgetting 0 allows, expected a look at the "
      "texts before that with less (a lower --lr, a smaller --eval-every, or general text in "
      "--data?)";
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(message_of([this] { run(); }), options.out.string() + ": " + message);
  }
}

TEST_F(Training, FollowsTheSchedule) {
  options.schedule = ScheduleShape::kWsd;
  options.decay_steps = 2;
  options.min_lr = 1e-3;
  options.lr_scales = {{"old", 0.5}};
  run();
  const Json settings = read_json_file(options.out / "training.json");
  EXPECT_EQ(settings["schedule"], "wsd");
  EXPECT_EQ(settings["lr-scale"]["old"], 0.5);
  std::istringstream lines(read_text_file(options.out / "metrics.jsonl"));
  std::vector<double> rates;
  for (std::string line; std::getline(lines, line);) {
    rates.push_back(parse_json(line, "test")["lr"]);
  }
  const std::vector<double> expected{1e-2, 1e-2, 1e-2, 1e-2, 1e-2, 5.5e-3};
  ASSERT_EQ(rates.size(), expected.size());
  for (size_t i = 0; i < rates.size(); ++i) {
    EXPECT_DOUBLE_EQ(rates[i], expected[i]) << i;
  }
}

TEST_F(Training, MovesAGroupByItsFactor) {
  options.lr_scales = {{"old", 0.0}};
  run();
  const Checkpoint before = Checkpoint::open(options.checkpoint);
  const Checkpoint after = Checkpoint::open(options.out / "model");
  for (const TensorInfo& tensor : before.tensors()) {
    EXPECT_EQ(bytes_of(before, tensor.name), bytes_of(after, tensor.name)) << tensor.name;
  }
}

TEST_F(Training, MixesTexts) {
  const std::string other = file_in(folder, "other.csv", "text\nquite another text\n");
  options.data = {options.data[0] + "=3", other + "=1"};
  run();
  const std::map<std::string, std::string> whole = files_of(options.out / "model");
  fs::remove_all(options.out / "model");
  fs::remove_all(options.out / "checkpoints/step-6");
  run();
  EXPECT_EQ(files_of(options.out / "model"), whole);
  const Json settings = read_json_file(options.out / "training.json");
  EXPECT_EQ(settings["data"][0]["share"], 0.75);
  options.data[1] = other + "=2";
  EXPECT_NE(message_of([this] { run(); }).find("--data: found"), std::string::npos);
}

TEST_F(Training, WatchesWhatItHoldsOut) {
  options.holdout = 0.2;
  options.eval_every = 3;
  run();
  EXPECT_NE(read_text_file(options.out / "metrics.jsonl").find("domain_loss"), std::string::npos);
  const TrainJob job = prepare(options, {});
  EXPECT_EQ(
      std::ssize(job.watched.domain.documents) + job.sources.front().corpus.tokens.document_count(),
      40);
}

TEST_F(Training, LearnsFromConversations) {
  std::string lines;
  for (int i = 0; i < 20; ++i) {
    lines += fmt::format(
        "{{\"messages\": [{{\"role\": \"user\", \"content\": \"question {}\"}}, "
        "{{\"role\": \"assistant\", \"content\": \"answer {}\"}}]}}\n",
        i,
        i);
  }
  options.data = {file_in(folder, "chat.jsonl", lines)};
  options.format = DocumentFormat::kMessages;
  options.seq_len = 64;
  options.steps = 12;
  write_text_file(options.checkpoint / "chat_template.jinja",
                  "{% for m in messages %}[{{ m.role }}] {{ m.content }}{{ eos_token }}{% endfor %}"
                  "{% if add_generation_prompt %}[assistant]{% endif %}");
  run();
  const std::vector<double> all = losses();
  EXPECT_LT(all.back(), 0.8 * all.front());
  EXPECT_EQ(read_json_file(options.out / "training.json")["packing"], "whole");
}

TEST_F(Training, RecomputesActivationsToTheSameBits) {
  std::map<std::string, MethodOptions> methods = other_methods();
  methods["plan"] = {};
  for (const auto& [name, method] : methods) {
    SCOPED_TRACE(name);
    options.method = method;
    options.recompute = false;
    options.out = folder / ("kept-" + name);
    run();
    const std::vector<double> kept = losses();
    const std::string weights = files_of(options.out / "model").at("model.safetensors");
    options.recompute = true;
    options.out = folder / ("recomputed-" + name);
    run();
    EXPECT_EQ(losses(), kept);
    EXPECT_EQ(files_of(options.out / "model").at("model.safetensors"), weights);
  }
}

TEST_F(Training, LearnsAsWellWithFrozenWeightsInInt8) {
  options.steps = 20;
  run();
  const std::vector<double> exact = losses();
  options.has_int8_frozen = true;
  options.out = folder / "int8";
  run();
  const std::vector<double> rounded = losses();
  EXPECT_NE(rounded, exact);
  EXPECT_LT(rounded.back(), 0.8 * rounded.front());
  EXPECT_NEAR(rounded.back(), exact.back(), 0.05 * exact.back());
  expect_only_the_plan_trained(Checkpoint::open(options.checkpoint),
                               Checkpoint::open(options.out / "model"));
}

TEST_F(Training, GoesOnBitForBitWithFrozenWeightsInInt8) {
  options.has_int8_frozen = true;
  options.method = other_methods().at("lora");
  run();
  const std::map<std::string, std::string> whole = files_of(options.out / "model");
  fs::remove_all(options.out / "model");
  fs::remove_all(options.out / "checkpoints/step-6");
  run();
  EXPECT_EQ(files_of(options.out / "model"), whole);
  options.has_int8_frozen = false;
  EXPECT_NE(message_of([&] { run(); }).find("--frozen-weights: found null now, expected \"int8\""),
            std::string::npos);
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
  options.compute = "bfloat16";
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
