#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <random>

#include "slayer/checkpoint/checkpoint.h"
#include "slayer/core/error.h"
#include "slayer/core/file.h"

#include "tests/support/scratch_folder.h"
#include "tests/support/tiny_checkpoint.h"

namespace slayer {
namespace {

using Mutation = std::function<std::string(std::string, std::mt19937_64&)>;

size_t position_in(const std::string& text, size_t limit, std::mt19937_64& random) {
  return random() % std::min(text.size(), limit);
}

/// Uses a checkpoint as slayer does: opens it, lists its problems, hashes it, reads all it can.
/// @returns false for an Error; anything else that goes wrong is a crash.
bool survives(const std::filesystem::path& folder) {
  try {
    const Checkpoint checkpoint = Checkpoint::open(folder);
    checkpoint.hash();
    for (const TensorInfo& tensor : checkpoint.tensors()) {
      if (is_float(tensor.dtype)) {
        std::vector<float> values(static_cast<size_t>(tensor.element_count()));
        checkpoint.read(tensor, 0, values);
      }
    }
    checkpoint.require_complete();
    return true;
  } catch (const Error& error) {
    EXPECT_FALSE(error.parts().file.empty()) << error.what();
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    return false;
  }
}

/// Runs `count` seeded mutations of one file of a tiny sharded checkpoint.
/// @returns how many were refused.
int refused_mutations(const std::string& name, int count, const Mutation& mutate) {
  const ScratchFolder folder;
  write_tiny_checkpoint(folder.path(), tiny_llama_config(), Dtype::kF32, 3000);
  const std::string good = read_text_file(folder / name);
  int refused = 0;
  for (int seed = 0; seed < count; ++seed) {
    SCOPED_TRACE(fmt::format("{}, seed {}", name, seed));
    std::mt19937_64 random(static_cast<uint64_t>(seed));
    OutputFile(folder / name).write(mutate(good, random));  // not synced: there are hundreds
    refused += survives(folder.path()) ? 0 : 1;
  }
  return refused;
}

constexpr const char* kShard = "model-00001-of-00002.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";

TEST(HostileCheckpoint, TruncatedFilesAreAllRefused) {
  const Mutation truncate = [](std::string text, std::mt19937_64& random) {
    text.resize(position_in(text, text.size() - 2, random));  // more than the last newline
    return text;
  };
  EXPECT_EQ(refused_mutations(kShard, 60, truncate), 60);
  EXPECT_EQ(refused_mutations(kIndex, 30, truncate), 30);
  EXPECT_EQ(refused_mutations("config.json", 30, truncate), 30);
}

TEST(HostileCheckpoint, GrownFilesAreAllRefused) {
  EXPECT_EQ(refused_mutations(kShard,
                              20,
                              [](const std::string& text, std::mt19937_64& random) {
                                return text + std::string(1 + random() % 100, 'x');
                              }),
            20);
}

TEST(HostileCheckpoint, WrongHeaderLengthsAreAllRefused) {
  EXPECT_EQ(refused_mutations(kShard,
                              60,
                              [](std::string text, std::mt19937_64& random) {
                                const uint64_t length = random() >> (random() % 64);
                                std::memcpy(text.data(), &length, sizeof(length));
                                return text;
                              }),
            60);
}

TEST(HostileCheckpoint, FlippedBytesNeverCrash) {
  const auto flip_below = [](size_t limit) -> Mutation {
    return [limit](std::string text, std::mt19937_64& random) {
      for (uint64_t flips = 1 + random() % 3; flips > 0; --flips) {
        text[position_in(text, limit, random)] ^= static_cast<char>(1U << (random() % 8));
      }
      return text;
    };
  };
  // Some flips leave a valid file: a blank, or a token id.
  EXPECT_GE(refused_mutations(kShard, 150, flip_below(900)), 120);
  EXPECT_GE(refused_mutations(kIndex, 60, flip_below(SIZE_MAX)), 40);
  EXPECT_GE(refused_mutations("config.json", 60, flip_below(SIZE_MAX)), 30);
}

TEST(HostileCheckpoint, DigitsReplacedInTheHeaderAreAllRefused) {
  const int refused = refused_mutations(kShard, 60, [](std::string text, std::mt19937_64& random) {
    size_t position = 8;
    do {
      position = 8 + random() % 800;
    } while (text[position] < '0' || text[position] > '9');
    text.replace(position, 1, random() % 2 == 0 ? "9223372036854775807" : "-1");
    const uint64_t length = text.find("}}") + 2 - 8;
    std::memcpy(text.data(), &length, sizeof(length));
    return text;
  });
  EXPECT_EQ(refused, 60);
}

}  // namespace
}  // namespace slayer
