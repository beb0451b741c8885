#include "slayer/surgery/apply.h"

#include <gtest/gtest.h>

#include "slayer/core/sha256.h"
#include "slayer/core/version.h"
#include "slayer/surgery/record.h"
#include "slayer/surgery/strategies.h"

#include "tests/support/checkpoint_bytes.h"
#include "tests/support/error_message.h"
#include "tests/support/scratch_folder.h"

namespace slayer {
namespace {

namespace fs = std::filesystem;

Checkpoint fixture(const std::string& model) {
  return Checkpoint::open(fs::path(SLAYER_FIXTURES) / "models" / model);
}

class ApplyTest : public testing::Test {
 protected:
  Checkpoint applied(const Checkpoint& base,
                     const Plan& plan,
                     std::optional<Dtype> dtype = std::nullopt,
                     const WriteOptions& options = {}) {
    const fs::path out = scratch_ / ("out" + std::to_string(outputs_++));
    apply(base, plan, dtype, out, options);
    return Checkpoint::open(out);
  }

  ScratchFolder scratch_;
  int outputs_ = 0;
};

Plan plan_of_case(const std::string& name) {
  if (name == "llama_pro_2") {
    return llama_pro_plan(4, 2);
  }
  if (name == "slayer_every_1_shallow_0.5") {
    return slayer_plan(4, 1, 0.5, {});
  }
  if (name == "slayer_every_2_shallow_0.5_drop_1") {
    return slayer_plan(4, 2, 0.5, {.layers = {3}});
  }
  EXPECT_EQ(name, "slayer_every_2_shallow_0.5_collapse_2");
  return slayer_plan(4, 2, 0.5, {.layers = {2, 3}, .mode = PruneMode::kCollapse});
}

// tools/fixtures/make_surgery_oracle.py computed these with plain torch, from the published
// recipes.
TEST_F(ApplyTest, GivesTheRecipesTensorsBitForBit) {
  const Json oracle = read_json_file(fs::path(SLAYER_FIXTURES) / "surgery" / "oracle.json");
  ASSERT_EQ(oracle["cases"].size(), 32U);
  for (const Json& expected : oracle["cases"]) {
    const auto name = expected["case"].get<std::string>();
    const auto model = expected["model"].get<std::string>();
    const Dtype dtype = dtype_from_torch_name(expected["dtype"].get<std::string>());
    SCOPED_TRACE(model + " " + name);
    const Checkpoint base = applied(fixture(model), passthrough_plan(4, "0:4"), dtype);
    const Checkpoint expanded = applied(base, plan_of_case(name));
    ASSERT_EQ(expanded.tensors().size(), expected["tensors"].size());
    for (const auto& [tensor, digest] : expected["tensors"].items()) {
      EXPECT_EQ(sha256(bytes_of(expanded, tensor)).substr(0, 16), digest.get<std::string>())
          << tensor;
    }
  }
}

TEST_F(ApplyTest, WritesACompleteFolderOfEachFamily) {
  for (const auto& model : fs::directory_iterator(fs::path(SLAYER_FIXTURES) / "models")) {
    SCOPED_TRACE(model.path());
    const Checkpoint base = Checkpoint::open(model.path());
    const Checkpoint expanded = applied(base, slayer_plan(4, 1, 0.5, {.layers = {3}}));
    EXPECT_EQ(expanded.problems(), std::vector<std::string>{});
    EXPECT_EQ(expanded.config().num_hidden_layers, 5);
    EXPECT_EQ(expanded.config().tie_word_embeddings, base.config().tie_word_embeddings);
    EXPECT_EQ(expanded.find("lm_head.weight") == nullptr, base.config().tie_word_embeddings);
    const auto files = files_of(expanded.path());
    for (const auto& [name, content] : base.side_files()) {
      EXPECT_EQ(files.at(name), content);
    }
  }
}

TEST_F(ApplyTest, RecordsThePlanAndItsSource) {
  const Checkpoint base = fixture("llama2");
  const Plan plan = slayer_plan(4, 2, 0.5, {});
  const Checkpoint expanded = applied(base, plan);
  const auto record = find_surgery_record(expanded.path());
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->source, "llama2");
  EXPECT_EQ(record->version, version());
  EXPECT_EQ(record->plan.source_hash, base.hash());
  EXPECT_EQ(record->plan.layers, plan.layers);
  EXPECT_FALSE(find_surgery_record(base.path()).has_value());
}

TEST_F(ApplyTest, GivesTheSameBytesEachTimeAndShardsBySize) {
  const Checkpoint base = fixture("llama3_tied");
  const Plan plan = llama_pro_plan(4, 2);
  const WriteOptions small_shards{.shard_bytes = 20'000};
  const auto once = files_of(applied(base, plan, std::nullopt, small_shards).path());
  EXPECT_EQ(once, files_of(applied(base, plan, std::nullopt, small_shards).path()));
  EXPECT_TRUE(once.contains("model.safetensors.index.json"));
  EXPECT_TRUE(once.contains("model-00002-of-00006.safetensors"));
}

TEST_F(ApplyTest, ConvertsToTheDtypeAskedFor) {
  const Checkpoint half = applied(fixture("llama2"), llama_pro_plan(4, 1), Dtype::kF16);
  EXPECT_EQ(half.config().dtype, Dtype::kF16);
  for (const TensorInfo& tensor : half.tensors()) {
    EXPECT_EQ(tensor.dtype, Dtype::kF16) << tensor.name;
  }
}

TEST_F(ApplyTest, RefusesAnIncompleteBaseAndAnExistingOutput) {
  const fs::path holed = scratch_ / "holed";
  fs::copy(fs::path(SLAYER_FIXTURES) / "models" / "llama2", holed);
  Json config = read_json_file(holed / "config.json");
  config["num_hidden_layers"] = 5;
  write_json_file(holed / "config.json", config);
  EXPECT_EQ(message_of([&] { applied(Checkpoint::open(holed), llama_pro_plan(5, 1)); }),
            holed.string() + ": found layer 4: missing, a hole in the numbering");

  const fs::path taken = scratch_ / "taken";
  fs::create_directory(taken);
  EXPECT_EQ(
      message_of([&] { apply(fixture("llama2"), llama_pro_plan(4, 1), std::nullopt, taken, {}); }),
      taken.string() + ": found an existing path, expected a new one (--force replaces it)");
  apply(fixture("llama2"), llama_pro_plan(4, 1), std::nullopt, taken, {.force = true});
  EXPECT_EQ(Checkpoint::open(taken).config().num_hidden_layers, 5);
}

TEST_F(ApplyTest, LeavesNothingWhenStopped) {
  std::stop_source stop;
  stop.request_stop();
  const fs::path out = scratch_ / "stopped";
  try {
    apply(fixture("llama2"), llama_pro_plan(4, 1), std::nullopt, out, {.stop = stop.get_token()});
    FAIL() << "not interrupted";
  } catch (const Interrupted& interruption) {
    EXPECT_STREQ(interruption.what(), "nothing was left behind; run the same command again");
  }
  EXPECT_TRUE(fs::is_empty(scratch_.path()));
}

TEST_F(ApplyTest, RefusesAPlanOfAnotherModel) {
  const Checkpoint base = fixture("llama2");
  const std::string path = base.path().string();
  EXPECT_EQ(message_of([&] { require_plan_for(base, llama_pro_plan(5, 1), "p.json"); }),
            "p.json: source.layers: found 5, expected 4, the layers of " + path);
  Plan plan = llama_pro_plan(4, 1);
  require_plan_for(base, plan, "p.json");
  plan.source_hash = base.hash();
  require_plan_for(base, plan, "p.json");
  plan.source_hash = "abc";
  EXPECT_EQ(message_of([&] { require_plan_for(base, plan, "p.json"); }),
            "p.json: source.hash: found abc, expected " + base.hash() + ", the hash of " + path +
                " (the plan is for another model; an empty hash fits any of that depth)");
}

TEST(Record, ReadsPastWhatOthersAdded) {
  const SurgeryRecord record{.plan = llama_pro_plan(4, 2), .source = "base", .version = "0.1.0"};
  Json json = record_to_json(record);
  EXPECT_EQ(json["origins"][2], "new after 1: copy of 1, zero output");
  json["training"] = "mine";
  EXPECT_EQ(record_from_json(json, "slayer.json"), record);
  json["plan"]["layers"][0]["from"] = {9};
  EXPECT_EQ(message_of([&] { record_from_json(json, "slayer.json"); }),
            "slayer.json: plan: layers[0].from: found 9, expected a source layer from 0 to 3");
}

}  // namespace
}  // namespace slayer
