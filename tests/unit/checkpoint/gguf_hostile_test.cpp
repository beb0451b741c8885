#include <gtest/gtest.h>
#include <random>

#include "slayer/checkpoint/checkpoint.h"
#include "slayer/core/error.h"

#include "tests/support/scratch_folder.h"
#include "tests/support/tiny_gguf.h"

namespace slayer {
namespace {

/// Opens the bytes as a GGUF and reads all there is to read.
class GgufHostile : public testing::Test {
 protected:
  void read_all(const std::string& bytes) const {
    // Thousands of files: not synced, and not truncated, which some file systems sync too.
    std::filesystem::remove(folder / "m.gguf");
    OutputFile(folder / "m.gguf").write(bytes);
    const Checkpoint checkpoint = Checkpoint::open(folder / "m.gguf");
    checkpoint.require_complete();
    checkpoint.side_files();
    for (const TensorInfo& tensor : checkpoint.tensors()) {
      std::vector<float> values(static_cast<size_t>(tensor.element_count()));
      checkpoint.read(tensor, 0, values);
    }
  }

  /// Whether the bytes are refused. Anything but an Error that names the file fails the test.
  bool is_refused(const std::string& bytes) const {
    try {
      read_all(bytes);
      return false;
    } catch (const Error& error) {
      EXPECT_NE(error.parts().file.find("m.gguf"), std::string::npos) << error.what();
      EXPECT_FALSE(error.parts().found.empty()) << error.what();
      return true;
    }
  }

  /// Where tensor data begin in the tiny file.
  static size_t header_size(const std::string& bytes) {
    return bytes.find(GgufBuilder::bytes(0.0F) + GgufBuilder::bytes(1.0F) +
                      GgufBuilder::bytes(2.0F));
  }

  ScratchFolder folder;
};

TEST_F(GgufHostile, TheUnharmedFileIsRead) { EXPECT_FALSE(is_refused(tiny_gguf().build())); }

TEST_F(GgufHostile, EveryTruncationIsRefused) {
  const std::string whole = tiny_gguf().build();
  for (size_t size = 0; size < whole.size(); size += size < 64 ? 1 : 29) {
    EXPECT_TRUE(is_refused(whole.substr(0, size))) << size;
  }
}

/// Lengths, counts, offsets, dimensions and types stand in the header: each of its places is
/// overwritten with values that overflow one check or another.
TEST_F(GgufHostile, ALengthBombAnywhereIsRefusedOrHarmless) {
  const std::string whole = tiny_gguf().build();
  const size_t header = header_size(whole);
  int refused = 0;
  for (const uint64_t bomb : {UINT64_MAX, uint64_t{1} << 63U, uint64_t{1} << 32U, uint64_t{0}}) {
    for (size_t place = 0; place + 8 <= header; place += 7) {
      std::string bytes = whole;
      bytes.replace(place, 8, GgufBuilder::bytes(bomb));
      SCOPED_TRACE(place);
      refused += is_refused(bytes) ? 1 : 0;
    }
  }
  EXPECT_GT(refused, 600);
}

TEST_F(GgufHostile, AFlippedBitIsRefusedOrHarmless) {
  const std::string whole = tiny_gguf().build();
  const size_t header = header_size(whole);
  std::mt19937 random(20240613);
  int refused = 0;
  for (int round = 0; round < 500; ++round) {
    SCOPED_TRACE(round);
    std::string bytes = whole;
    const size_t flips = 1 + random() % 3;
    for (size_t flip = 0; flip < flips; ++flip) {
      char& byte = bytes[random() % header];
      byte = static_cast<char>(static_cast<unsigned>(byte) ^ 1U << random() % 8);
    }
    refused += is_refused(bytes) ? 1 : 0;
  }
  EXPECT_GT(refused, 250);
}

}  // namespace
}  // namespace slayer
