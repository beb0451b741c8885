#include <chrono>
#include <csignal>
#include <cstdlib>
#include <gtest/gtest.h>
#include <random>
#include <sys/mount.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "slayer/surgery/apply.h"
#include "slayer/surgery/strategies.h"

#include "tests/support/checkpoint_bytes.h"
#include "tests/support/error_message.h"
#include "tests/support/scratch_folder.h"

namespace slayer {
namespace {

namespace fs = std::filesystem;

Checkpoint base() { return Checkpoint::open(fs::path(SLAYER_FIXTURES) / "models" / "llama2"); }

void expand(const fs::path& out, bool force) {
  apply(base(), llama_pro_plan(4, 2), std::nullopt, out, {.shard_bytes = 20'000, .force = force});
}

// tests/soak/kill_apply.py does it a hundred times, on a larger model.
TEST(KilledApply, LeavesNoHalfFolderAndEndsInTheSameBytes) {
  const ScratchFolder scratch;
  const fs::path out = scratch / "out";
  expand(scratch / "whole", /*force=*/false);
  const auto whole = files_of(scratch / "whole");
  std::mt19937 random(1);
  for (int kill = 0; kill < 6; ++kill) {
    SCOPED_TRACE(kill);
    fs::remove_all(out);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      expand(out, /*force=*/false);
      std::_Exit(0);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5 + random() % 60));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    if (fs::exists(out)) {
      EXPECT_EQ(files_of(out), whole);
    }
    expand(out, /*force=*/true);
    EXPECT_EQ(files_of(out), whole);
    EXPECT_FALSE(fs::exists(scratch / "out.partial"));
  }
}

/// A file system of a few kilobytes, where the test may mount one.
class SmallDisk final {
 public:
  SmallDisk(const fs::path& folder, uint64_t bytes) : folder_(folder) {
    fs::create_directory(folder);
    const std::string size = "size=" + std::to_string(bytes);
    is_mounted_ = ::mount("tmpfs", folder.c_str(), "tmpfs", 0, size.c_str()) == 0;
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  ~SmallDisk() {
    if (is_mounted_) {
      ::umount(folder_.c_str());
    }
  }

  bool is_mounted() const { return is_mounted_; }

  void make_read_only() const {
    ASSERT_EQ(::mount(nullptr, folder_.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0);
  }

 private:
  fs::path folder_;
  bool is_mounted_ = false;
};

uint64_t bytes_of_output(const ScratchFolder& scratch) {
  expand(scratch / "measured", /*force=*/false);
  uint64_t bytes = 0;
  for (const auto& [name, content] : files_of(scratch / "measured")) {
    bytes += content.size();
  }
  return bytes;
}

TEST(FullDisk, IsFoundBeforeWriting) {
  const ScratchFolder scratch;
  const SmallDisk disk(scratch / "disk", 65536);
  if (!disk.is_mounted()) {
    GTEST_SKIP() << "no permission to mount a tmpfs";
  }
  const std::string message =
      message_of([&] { expand(scratch / "disk" / "out", /*force=*/false); });
  EXPECT_TRUE(message.starts_with((scratch / "disk" / "out.partial").string() +
                                  ": free space: found 65.5 kB, expected at least 1"))
      << message;
  EXPECT_TRUE(fs::is_empty(scratch / "disk"));
}

// Room for the bytes, but not for the rest of each file's last page.
TEST(FullDisk, LeavesNothingWhenItFillsUpOnTheWay) {
  const ScratchFolder scratch;
  const uint64_t bytes = bytes_of_output(scratch);
  const SmallDisk disk(scratch / "disk", (bytes + 4095) / 4096 * 4096);
  if (!disk.is_mounted()) {
    GTEST_SKIP() << "no permission to mount a tmpfs";
  }
  const std::string message =
      message_of([&] { expand(scratch / "disk" / "out", /*force=*/false); });
  EXPECT_TRUE(message.ends_with(": cannot write: found No space left on device")) << message;
  EXPECT_TRUE(fs::is_empty(scratch / "disk"));
}

TEST(ReadOnlyFolder, IsNamed) {
  const ScratchFolder scratch;
  const SmallDisk disk(scratch / "disk", 65536);
  if (!disk.is_mounted()) {
    GTEST_SKIP() << "no permission to mount a tmpfs";
  }
  disk.make_read_only();
  EXPECT_EQ(message_of([&] { expand(scratch / "disk" / "out", /*force=*/false); }),
            (scratch / "disk" / "out.partial").string() +
                ": cannot create folder: found Read-only file system");
}

}  // namespace
}  // namespace slayer
