#include "slayer/core/file.h"

#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "slayer/core/mapped_file.h"
#include "slayer/core/output_file.h"

#include "tests/support/error_message.h"

namespace slayer {
namespace {

namespace fs = std::filesystem;

class FileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "slayer-file-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path folder_;
};

TEST_F(FileTest, TextComesBackAsWritten) {
  const fs::path path = folder_ / "new" / "a.txt";
  write_text_file(path, "one");
  write_text_file(path, "two");
  EXPECT_EQ(read_text_file(path), "two");
  EXPECT_FALSE(fs::exists(folder_ / "new" / "a.txt.partial"));
}

TEST_F(FileTest, ReadingRefusesWhatIsNoRegularFile) {
  EXPECT_EQ(message_of([&] { read_text_file(folder_); }),
            folder_.string() + ": found a folder, expected a regular file");
  const fs::path pipe = folder_ / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(message_of([&] { read_text_file(pipe); }),
            pipe.string() + ": found a special file, expected a regular file");
  const fs::path missing = folder_ / "missing";
  EXPECT_EQ(message_of([&] { read_text_file(missing); }),
            missing.string() + ": cannot open: found No such file or directory");
}

TEST_F(FileTest, ReadingRefusesALoopOfLinks) {
  fs::create_symlink("b", folder_ / "a");
  fs::create_symlink("a", folder_ / "b");
  EXPECT_NE(message_of([&] { read_text_file(folder_ / "a"); }).find("symbolic links"),
            std::string::npos);
}

TEST_F(FileTest, ReadingRefusesAFileOverTheLimit) {
  write_text_file(folder_ / "big", "12345");
  EXPECT_EQ(message_of([&] { read_text_file(folder_ / "big", 4); }),
            (folder_ / "big").string() + ": size: found 5 bytes, expected at most 4");
}

TEST_F(FileTest, AnEmptyFileMapsToNoBytes) {
  write_text_file(folder_ / "empty", "");
  EXPECT_TRUE(MappedFile(folder_ / "empty").bytes().empty());
}

TEST_F(FileTest, CopyFromTakesExactlyTheRange) {
  write_text_file(folder_ / "source", "0123456789");
  const MappedFile source(folder_ / "source");
  OutputFile output(folder_ / "copy");
  output.write("<");
  output.copy_from(source, 2, 5);
  output.write(">");
  EXPECT_EQ(output.size(), 7U);
  output.close();
  EXPECT_EQ(read_text_file(folder_ / "copy"), "<23456>");
}

TEST_F(FileTest, ALargeFileHasTheSameBytesAsASmallOne) {
  // Past 32 MB the bytes take another way to the disk; nothing here is a multiple of a block.
  std::string text(size_t{41'000'003}, '\0');
  for (size_t i = 0; i < text.size(); ++i) {
    text[i] = static_cast<char>(i * 2654435761U >> 24U);
  }
  {
    OutputFile source(folder_ / "source");
    source.write(text);
    source.close();
  }
  for (const bool is_cached : {true, false}) {
    const MappedFile source(folder_ / "source");
    if (!is_cached) {
      ::posix_fadvise(source.descriptor(), 0, 0, POSIX_FADV_DONTNEED);
    }
    OutputFile output(folder_ / "copy");
    output.copy_from(source, 5, text.size() - 5);
    output.write(std::string_view(text).substr(0, 4321));
    output.copy_from(source, text.size() - 9'000'001, 9'000'001);
    output.close();
    const std::string expected =
        text.substr(5) + text.substr(0, 4321) + text.substr(text.size() - 9'000'001);
    EXPECT_EQ(output.size(), expected.size());
    EXPECT_TRUE(read_text_file(folder_ / "copy") == expected) << "cached: " << is_cached;
  }
}

TEST_F(FileTest, StagedFolderAppearsOnlyWhenCommitted) {
  const fs::path final_path = folder_ / "out";
  {
    const StagedFolder staged(final_path, /*force=*/false);
    write_text_file(staged.path() / "half", "x");
    EXPECT_FALSE(fs::exists(final_path));
  }
  EXPECT_TRUE(fs::is_empty(folder_));
  StagedFolder staged(final_path, /*force=*/false);
  write_text_file(staged.path() / "whole", "x");
  staged.commit();
  EXPECT_EQ(read_text_file(final_path / "whole"), "x");
}

TEST_F(FileTest, StagedFolderReplacesOnlyWithForce) {
  const fs::path final_path = folder_ / "out";
  write_text_file(final_path / "old", "x");
  EXPECT_EQ(
      message_of([&] { const StagedFolder staged(final_path, /*force=*/false); }),
      final_path.string() + ": found an existing path, expected a new one (--force replaces it)");
  StagedFolder staged(final_path / "", /*force=*/true);
  write_text_file(staged.path() / "new", "x");
  staged.commit();
  EXPECT_FALSE(fs::exists(final_path / "old"));
  EXPECT_TRUE(fs::exists(final_path / "new"));
}

TEST_F(FileTest, StagedFolderRemovesWhatAKilledRunLeft) {
  write_text_file(folder_ / "out.partial" / "stale", "x");
  StagedFolder staged(folder_ / "out", /*force=*/false);
  staged.commit();
  EXPECT_TRUE(fs::is_empty(folder_ / "out"));
}

TEST_F(FileTest, FreeSpaceIsDemandedInWords) {
  require_free_space(folder_, 1);
  const std::string message = message_of([&] { require_free_space(folder_, uint64_t{1} << 60U); });
  EXPECT_TRUE(message.starts_with(folder_.string() + ": free space: found ")) << message;
  EXPECT_TRUE(message.ends_with(", expected at least 1152922 TB")) << message;
}

TEST(OutputFile, SaysThatTheDiskIsFull) {
  if (!fs::exists("/dev/full")) {
    GTEST_SKIP() << "no /dev/full here";
  }
  OutputFile output("/dev/full");
  EXPECT_EQ(message_of([&] { output.write("x"); }),
            "/dev/full: cannot write: found No space left on device");
}

}  // namespace
}  // namespace slayer
