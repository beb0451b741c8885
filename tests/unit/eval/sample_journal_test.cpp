#include "slayer/eval/sample_journal.h"

#include <gtest/gtest.h>

#include "slayer/core/file.h"

#include "tests/support/error_message.h"
#include "tests/support/text_file.h"

namespace slayer {
namespace {

TEST(SampleJournal, GoesOnFromWhatAKilledRunWrote) {
  const ScratchFolder folder;
  const auto path = folder / "samples_t.jsonl";
  {
    SampleJournal killed(path, "key");
    killed.add({{"doc_id", 5}, {"acc", 1.0}});
    killed.add({{"doc_id", 2}, {"acc", 0.0}});
  }
  std::ofstream(path.string() + ".journal", std::ios::app) << "{\"doc_id\": 7, \"a";
  SampleJournal journal(path, "key");
  EXPECT_EQ(journal.size(), 2);
  EXPECT_TRUE(journal.has(5));
  EXPECT_FALSE(journal.has(7));
  journal.add({{"doc_id", 1}, {"acc", 1.0}});
  EXPECT_EQ(journal.finish().size(), 3U);
  EXPECT_EQ(read_text_file(path),
            "{\"doc_id\":1,\"acc\":1.0}\n{\"doc_id\":2,\"acc\":0.0}\n{\"doc_id\":5,\"acc\":1.0}\n");
  EXPECT_EQ(SampleJournal(path, "key").size(), 3);  // A later task of the same run was killed.
  SampleJournal::discard(path);
  EXPECT_FALSE(std::filesystem::exists(path.string() + ".journal"));
}

TEST(SampleJournal, BeginsAnewUnderAnotherKey) {
  const ScratchFolder folder;
  const auto path = folder / "samples_t.jsonl";
  SampleJournal(path, "one").add({{"doc_id", 5}});
  EXPECT_EQ(SampleJournal(path, "two").size(), 0);
}

TEST(SampleJournal, NamesThePathThatCannotBeWritten) {
  const ScratchFolder folder;
  const auto path = folder / "samples_t.jsonl";
  std::filesystem::create_directories(path.string() + ".journal");
  EXPECT_TRUE(message_of([&] {
                SampleJournal(path, "key");
              }).starts_with(path.string() + ".journal: cannot rename"));
}

}  // namespace
}  // namespace slayer
