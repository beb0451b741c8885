#include "slayer/data/rows.h"

#include <gtest/gtest.h>

#include "slayer/data/parquet.h"

#include "tests/support/error_message.h"
#include "tests/support/text_file.h"

namespace slayer {
namespace {

const std::string kFixtures = SLAYER_FIXTURES "/parquet/";

bool was_built_without_parquet() {
  return message_of([] { read_parquet(kFixtures + "rows.parquet"); }).find("without Parquet") !=
         std::string::npos;
}

TEST(Rows, ReadsOneObjectALineOfJsonl) {
  const ScratchFolder folder;
  const auto rows = read_rows(file_in(folder, "a.jsonl", "{\"a\": 1}\n\n{\"a\": [\"x\"]}"));
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(compact_text(rows[0]), R"({"a":1})");
  EXPECT_EQ(compact_text(rows[1]), R"({"a":["x"]})");
}

TEST(Rows, NamesTheLineThatIsNoObject) {
  const ScratchFolder folder;
  const std::string path = file_in(folder, "a.jsonl", "{\"a\": 1}\n\n[2]\n");
  EXPECT_EQ(message_of([&] { read_rows(path); }),
            path + ": line 3: found [2], expected a JSON object");
}

TEST(Rows, ReadsEveryColumnTypeOfParquetAcrossRowGroups) {
  if (was_built_without_parquet()) {
    GTEST_SKIP() << "built without Parquet";
  }
  const auto rows = read_rows(kFixtures + "rows.parquet");
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(
      compact_text(rows[0]),
      "{\"id\":\"a\",\"choices\":{\"text\":[\"caf\xc3\xa9\",\"tea\"],\"label\":[\"A\",\"B\"]},"
      "\"answer\":1,\"weight\":0.5,\"right\":true,\"labels\":[1,0]}");
  EXPECT_EQ(compact_text(rows[1]),
            R"({"id":null,"choices":{"text":[],"label":null},"answer":-7,"weight":-2.0,)"
            R"("right":false,"labels":null})");
  EXPECT_EQ(compact_text(rows[2]),
            R"({"id":"","choices":null,"answer":4611686018427387904,"weight":1e+300,)"
            R"("right":null,"labels":[3]})");
}

TEST(Rows, NamesTheColumnWithoutAJsonForm) {
  if (was_built_without_parquet()) {
    GTEST_SKIP() << "built without Parquet";
  }
  const std::string path = kFixtures + "timestamp.parquet";
  EXPECT_EQ(message_of([&] { read_rows(path); }),
            path +
                ": column when: found timestamp[ms], expected booleans, numbers, strings, or "
                "lists and structs of them");
}

TEST(Rows, RefusesWhatIsNotParquet) {
  if (was_built_without_parquet()) {
    GTEST_SKIP() << "built without Parquet";
  }
  const ScratchFolder folder;
  const std::string path = file_in(folder, "a.parquet", "PAR1 but no more of it");
  const std::string message = message_of([&] { read_rows(path); });
  EXPECT_TRUE(message.starts_with(path + ": found Parquet magic bytes not found")) << message;
  EXPECT_TRUE(message.ends_with("expected a Parquet file")) << message;
  EXPECT_EQ(message_of([&] { read_rows(folder / "none.parquet"); }),
            message_of([&] { MappedFile(folder / "none.parquet"); }));
}

}  // namespace
}  // namespace slayer
