#include "slayer/data/documents.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include "slayer/data/row_stream.h"

#include "tests/support/error_message.h"
#include "tests/support/text_file.h"

namespace slayer {
namespace {

namespace fs = std::filesystem;

std::string gzip(const std::string& text) {
  z_stream stream{};
  deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string bytes(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(bytes.data());
  stream.avail_out = static_cast<uInt>(bytes.size());
  deflate(&stream, Z_FINISH);
  bytes.resize(stream.total_out);
  deflateEnd(&stream);
  return bytes;
}

std::string zstd(const std::string& text) {
  std::string bytes(ZSTD_compressBound(text.size()), '\0');
  bytes.resize(ZSTD_compress(bytes.data(), bytes.size(), text.data(), text.size(), 3));
  return bytes;
}

std::vector<Document> read(const std::string& file, const std::string& text_field = "text") {
  std::vector<Document> documents;
  read_documents(
      file, {.text_field = text_field}, [&](Document document) { documents.push_back(document); });
  return documents;
}

std::string long_text() {
  std::string text;
  for (int i = 0; i < 200'000; ++i) {
    text += fmt::format("line {}\n", i);
  }
  return text;
}

TEST(ReadDocuments, TakesAWholeTextFile) {
  const ScratchFolder folder;
  const std::vector<Document> documents = read(file_in(folder, "a.txt", "one\ntwo\n"));
  ASSERT_EQ(documents.size(), 1U);
  EXPECT_EQ(documents[0].text, "one\ntwo\n");
  EXPECT_EQ(documents[0].line, 0);
  EXPECT_TRUE(read(file_in(folder, "empty.txt", "")).empty());
}

TEST(ReadDocuments, TakesALineOfJsonEach) {
  const ScratchFolder folder;
  const std::vector<Document> documents = read(
      file_in(folder, "a.jsonl", "{\"body\": \"x\"}\r\n\n{\"body\": \"\"}\n{\"body\": \"y\\n\"}"),
      "body");
  ASSERT_EQ(documents.size(), 2U);
  EXPECT_EQ(documents[0].text, "x");
  EXPECT_EQ(documents[0].line, 1);
  EXPECT_EQ(documents[1].text, "y\n");
  EXPECT_EQ(documents[1].line, 4);
}

TEST(ReadDocuments, TakesARowOfCsvEach) {
  const ScratchFolder folder;
  const std::string csv =
      "\xEF\xBB\xBFid,text\r\n1,plain\r\n\r\n2,\"with, comma, \"\"quotes\"\"\nand a "
      "line\"\n3,\n4,last";
  for (const std::string& file :
       {file_in(folder, "a.csv", csv), file_in(folder, "a.csv.gz", gzip(csv))}) {
    const std::vector<Document> documents = read(file);
    ASSERT_EQ(documents.size(), 3U);
    EXPECT_EQ(documents[0].text, "plain");
    EXPECT_EQ(documents[0].line, 1);
    EXPECT_EQ(documents[1].text, "with, comma, \"quotes\"\nand a line");
    EXPECT_EQ(documents[2].text, "last");
    EXPECT_EQ(documents[2].line, 4);
  }
}

TEST(ReadDocuments, TakesAnObjectOfAJsonListEach) {
  const ScratchFolder folder;
  const std::vector<Document> documents =
      read(file_in(folder, "a.json", R"([{"text": "x"}, {"text": "y"}])"));
  ASSERT_EQ(documents.size(), 2U);
  EXPECT_EQ(documents[1].text, "y");
  EXPECT_EQ(documents[1].line, 2);
}

TEST(ReadDocuments, TakesARowOfParquetEach) {
  const std::string file = SLAYER_FIXTURES "/parquet/rows.parquet";
  if (message_of([&] { read(file, "id"); }).find("without Parquet") != std::string::npos) {
    GTEST_SKIP() << "built without Parquet";
  }
  std::vector<int64_t> labels;
  stream_rows(file, [&](const Json& row, int64_t) { labels.push_back(row["answer"]); }, {});
  EXPECT_EQ(labels, (std::vector<int64_t>{1, -7, int64_t{1} << 62U}));
  EXPECT_EQ(message_of([&] { read(file, "id"); }), file + ":2: id: found null, expected a string");
}

TEST(ReadDocuments, TakesConversations) {
  const ScratchFolder folder;
  const std::string file =
      file_in(folder, "a.jsonl", R"({"instruction": "Why?", "input": "", "output": "So."})");
  std::vector<Document> documents;
  read_documents(file, {.format = DocumentFormat::kAlpaca}, [&](Document document) {
    documents.push_back(std::move(document));
  });
  ASSERT_EQ(documents.size(), 1U);
  EXPECT_EQ(documents[0].conversation[1]["content"], "So.");
  const std::string text = file_in(folder, "a.txt", "x");
  EXPECT_EQ(message_of([&] {
              read_documents(text, {.format = DocumentFormat::kAlpaca}, [](const Document&) {});
            }),
            text + ": found a text file, expected rows of alpaca (--format text?)");
}

TEST(ReadDocuments, Decompresses) {
  const ScratchFolder folder;
  const std::string text = long_text();
  EXPECT_EQ(read(file_in(folder, "a.txt.gz", gzip(text)))[0].text, text);
  EXPECT_EQ(read(file_in(folder, "a.txt.zst", zstd(text)))[0].text, text);
  EXPECT_EQ(read(file_in(folder, "b.txt.gz", gzip("one") + gzip("two")))[0].text, "onetwo");
  EXPECT_EQ(read(file_in(folder, "b.txt.zst", zstd("one") + zstd("two")))[0].text, "onetwo");
  EXPECT_EQ(read(file_in(folder, "c.jsonl.gz", gzip("{\"text\": \"z\"}")))[0].text, "z");
}

TEST(ReadDocuments, TellsAllBytesOfTheFile) {
  const ScratchFolder folder;
  for (const std::string& file :
       {file_in(folder, "a.txt", long_text()), file_in(folder, "a.txt.gz", gzip(long_text()))}) {
    int64_t told = 0;
    read_documents(file, {}, [](const Document&) {}, [&](int64_t bytes) { told += bytes; });
    EXPECT_EQ(told, static_cast<int64_t>(fs::file_size(file)));
  }
}

TEST(ReadDocuments, NamesWhatIsWrong) {
  const ScratchFolder folder;
  const std::string cut = gzip(long_text()).substr(0, 5000);
  const auto failure = [&folder](const std::string& name, const std::string& content) {
    const std::string file = file_in(folder, name, content);
    std::string message = message_of([&] { read(file); });
    return message.starts_with(file) ? message.substr(file.size()) : "unnamed: " + message;
  };
  EXPECT_EQ(failure("a.txt", "caf\xE9!"),
            ": byte 3: found 0xe9, expected UTF-8 text (convert it: iconv -f LATIN1 -t UTF-8)");
  EXPECT_EQ(failure("a.jsonl", "{\"text\": \"a\"}\n{\"text\": \"\xE9\"}"),
            ": byte 24: found 0xe9, expected UTF-8 text (convert it: iconv -f LATIN1 -t UTF-8)");
  EXPECT_TRUE(failure("b.jsonl", "{\"text\": \"a\"}\n{\"tex").starts_with(":2: ")) << "line";
  EXPECT_TRUE(failure("c.jsonl", "{\"content\": \"a\"}").starts_with(":1: text: ")) << "key";
  EXPECT_EQ(failure("a.json", "{}"),
            ": found object, expected a list of objects (one object a line belongs in a .jsonl)");
  EXPECT_EQ(failure("a.csv", "text\n\"a"),
            ": record 2: found a quote that is never closed, expected closing quotes");
  EXPECT_EQ(failure("b.csv", "text\n\"a\"b\n"),
            ": record 2: found text behind a closing quote, expected a comma or the line's end");
  EXPECT_EQ(failure("c.csv", "text\ncaf\xE9\n"), ": record 2: found 0xe9, expected UTF-8 text");
  EXPECT_EQ(failure("d.csv", "id,text\n1\n"), ":1: found 1 fields, expected 2, as in the header");
  EXPECT_EQ(failure("a.txt.gz", cut),
            ": found the file's end inside the data, expected gzip data (an incomplete download, "
            "or not compressed at all?)");
  EXPECT_EQ(failure("b.txt.gz", "plain"),
            ": found incorrect header check, expected gzip data (an incomplete download, or not "
            "compressed at all?)");
  EXPECT_EQ(failure("a.txt.zst", zstd(long_text()).substr(0, 5000)),
            ": found the file's end inside the data, expected zstd data (an incomplete download, "
            "or not compressed at all?)");
  EXPECT_EQ(failure("b.txt.zst", "plain text"),
            ": found Unknown frame descriptor, expected zstd data (an incomplete download, or not "
            "compressed at all?)");
}

TEST(FindDocumentFiles, TakesFilesFoldersAndGlobsInSortedOrder) {
  const ScratchFolder folder;
  file_in(folder, "in/b.txt", "b");
  file_in(folder, "in/a.jsonl.gz", "a");
  file_in(folder, "in/deep/c.txt.zst", "c");
  file_in(folder, "in/.hidden/d.txt", "d");
  file_in(folder, "in/readme.md", "e");
  file_in(folder, "in/dataset_info.json", "f");
  const std::string root = (folder / "in").string();
  const std::vector<fs::path> all{root + "/a.jsonl.gz", root + "/b.txt", root + "/deep/c.txt.zst"};
  EXPECT_EQ(find_document_files({root}), all);
  EXPECT_EQ(find_document_files({root + "/b.txt", root + "/[a]*"}),
            (std::vector<fs::path>{all[1], all[0]}));
  EXPECT_EQ(find_document_files({root + "/*.txt", root + "/*.json*"}),
            (std::vector<fs::path>{all[1], all[0], root + "/dataset_info.json"}));
}

TEST(FindDocumentFiles, NamesWhatIsNotThere) {
  const ScratchFolder folder;
  const std::string markdown = file_in(folder, "in/a.md", "x");
  const std::string missing = (folder / "no*").string();
  EXPECT_EQ(message_of([&] { find_document_files({missing}); }),
            missing +
                ": found nothing there, expected a .txt, .jsonl, .json, .csv (each also "
                ".gz, .zst) or .parquet file, a folder of them or a glob");
  const std::string empty = (folder / "in").string();
  EXPECT_EQ(message_of([&] { find_document_files({empty}); }),
            empty +
                ": found no documents, expected a .txt, .jsonl, .json, .csv (each also "
                ".gz, .zst) or .parquet file, a folder of them or a glob");
  EXPECT_EQ(message_of([&] { find_document_files({markdown}); }),
            markdown +
                ": found file name ending in \".md\", expected .txt, .jsonl, .json or .csv, "
                "each also with .gz or .zst, or .parquet");
}

}  // namespace
}  // namespace slayer
