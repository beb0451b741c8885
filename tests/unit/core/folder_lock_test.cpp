#include "slayer/core/folder_lock.h"

#include <gtest/gtest.h>

#include "tests/support/error_message.h"
#include "tests/support/scratch_folder.h"

namespace slayer {
namespace {

TEST(FolderLock, IsHeldByOne) {
  const ScratchFolder scratch;
  const std::filesystem::path folder = scratch / "run";
  {
    const FolderLock held(folder);
    EXPECT_EQ(message_of([&] { FolderLock{folder}; }),
              folder.string() +
                  ": found another slayer at work in it, expected a folder of its "
                  "own (wait for it to end, or choose another --out)");
  }
  EXPECT_EQ(message_of([&] { FolderLock{folder}; }), "no error");
  EXPECT_TRUE(std::filesystem::is_empty(folder));
}

TEST(FolderLock, NamesAFolderThatCannotBeMade) {
  EXPECT_EQ(message_of([] { FolderLock{"/proc/run"}; }),
            "/proc/run: cannot create folder: found No such file or directory");
}

}  // namespace
}  // namespace slayer
