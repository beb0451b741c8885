#include <cstdint>
#include <fstream>
#include <gtest/gtest.h>

#include "slayer/checkpoint/checkpoint.h"
#include "slayer/core/file.h"
#include "slayer/core/folder_lock.h"
#include "slayer/core/json.h"
#include "slayer/train/trainer.h"

#include "tests/support/error_message.h"
#include "tests/support/text_file.h"
#include "tests/support/training_checkpoint.h"

namespace slayer {
namespace {

namespace fs = std::filesystem;

/// Everything that a training needs; each test spoils one thing.
class Refusal : public testing::Test {
 protected:
  Refusal() {
    options.checkpoint = write_training_checkpoint(folder / "ckpt");
    options.data = {file_in(folder, "a.txt", "some text to learn, again and again")};
    options.out = folder / "out";
    options.seq_len = 8;
    options.steps = 2;
    options.threads = 1;
  }

  std::string record_file() const { return (options.checkpoint / kRecordFile).string(); }
  void write_plan(const Plan& plan) const {
    write_json_file(record_file(), record_to_json({.plan = plan, .source = "", .version = ""}));
  }
  std::string refusal() const {
    return message_of([this] { train(prepare(options, {}), {}); });
  }

  ScratchFolder folder;
  TrainOptions options;
};

TEST_F(Refusal, OfACheckpointWithoutAPlan) {
  fs::remove(record_file());
  EXPECT_EQ(refusal(),
            record_file() +
                ": found nothing, expected the plan that says which layers train (make such a "
                "checkpoint with slayer plan and slayer apply, or choose another --method)");
}

TEST_F(Refusal, OfAFolderThatAnotherTrainsIn) {
  const FolderLock held(options.out);
  EXPECT_EQ(refusal(),
            options.out.string() +
                ": found another slayer at work in it, expected a folder of its own (wait for it "
                "to end, or choose another --out)");
}

TEST_F(Refusal, OfAPlanThatTrainsNothing) {
  write_plan(training_plan(4, {}));
  EXPECT_EQ(refusal(),
            record_file() +
                ": plan: found no layer that trains, expected \"train\": true for at least one");
}

TEST_F(Refusal, OfAPlanForAnotherDepth) {
  write_plan(training_plan(5, {1}));
  EXPECT_EQ(refusal(), record_file() + ": plan: found 5 layers, expected 4, as in config.json");
}

TEST_F(Refusal, OfAFile) {
  options.checkpoint = SLAYER_FIXTURES "/gguf/quants.gguf";
  EXPECT_EQ(
      refusal(),
      options.checkpoint.string() +
          ": found a file, expected a checkpoint folder (slayer import makes one of a GGUF file)");
}

TEST_F(Refusal, OfAnotherMethod) {
  EXPECT_EQ(refusal(), "no error");
  options.method = {.method = Method::kLastK, .last_k = 1};
  EXPECT_EQ(refusal(),
            (options.out / "training.json").string() +
                ": --method: found \"last-k\" now, expected \"plan\", as it began (--force begins "
                "anew, another --out keeps both)");
}

TEST_F(Refusal, OfAFolderThatHoldsSomethingElse) {
  file_in(folder, "out/thesis.txt", "mine");
  EXPECT_EQ(refusal(),
            (folder / "out").string() +
                ": found a folder with other files in it, expected a new folder, or one that holds "
                "a training");
  options.out = file_in(folder, "file", "");
  EXPECT_EQ(refusal(), options.out.string() + ": found a file, expected a new folder");
}

TEST_F(Refusal, OfChangedOptions) {
  EXPECT_EQ(refusal(), "no error");
  options.lr = 1e-3;
  EXPECT_EQ(refusal(),
            (options.out / "training.json").string() +
                ": --lr: found 0.001 now, expected 0.0002, as it began (--force begins anew, "
                "another --out keeps both)");
}

TEST_F(Refusal, OfALossThatIsNotFinite) {
  const Checkpoint checkpoint = Checkpoint::open(options.checkpoint);
  const StoredBytes norm = checkpoint.stored(*checkpoint.find("model.norm.weight")).value();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::fstream file(norm.file->path(), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(norm.offset));
  file.write(reinterpret_cast<const char*>(&nan), sizeof nan);
  file.close();
  EXPECT_EQ(refusal(),
            options.out.string() + ": step 1: found a loss of nan on " + options.data[0] +
                ", expected a finite one (a lower --lr? last good checkpoint: none)");
  EXPECT_FALSE(fs::exists(options.out / "model"));
}

TEST_F(Refusal, OfADamagedCheckpoint) {
  options.save_every = 1;
  EXPECT_EQ(refusal(), "no error");
  options.steps = 3;
  const fs::path state = options.out / "checkpoints/step-2/model.safetensors";
  std::string bytes = read_text_file(state);
  const std::string name = "adamw.first_moment.";
  bytes.replace(bytes.find(name), name.size(), "adamw.first_monent.");
  write_text_file(state, bytes);
  EXPECT_EQ(refusal(),
            state.string() +
                ": adamw.first_moment.model.layers.1.input_layernorm.weight: found nothing, "
                "expected the state of this training (remove this checkpoint to go on from the one "
                "before)");
}

}  // namespace
}  // namespace slayer
