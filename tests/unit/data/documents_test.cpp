#include "slayer/data/documents.h"

#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include "tests/unit/data/test_folder.h"

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
  read_documents(file, text_field, [&](Document document) { documents.push_back(document); });
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
  const TestFolder folder;
  const std::vector<Document> documents = read(folder.file("a.txt", "one\ntwo\n"));
  ASSERT_EQ(documents.size(), 1U);
  EXPECT_EQ(documents[0].text, "one\ntwo\n");
  EXPECT_EQ(documents[0].line, 0);
  EXPECT_TRUE(read(folder.file("empty.txt", "")).empty());
}

TEST(ReadDocuments, TakesALineOfJsonEach) {
  const TestFolder folder;
  const std::vector<Document> documents =
      read(folder.file("a.jsonl", "{\"body\": \"x\"}\r\n\n{\"body\": \"\"}\n{\"body\": \"y\\n\"}"),
           "body");
  ASSERT_EQ(documents.size(), 2U);
  EXPECT_EQ(documents[0].text, "x");
  EXPECT_EQ(documents[0].line, 1);
  EXPECT_EQ(documents[1].text, "y\n");
  EXPECT_EQ(documents[1].line, 4);
}

TEST(ReadDocuments, Decompresses) {
  const TestFolder folder;
  const std::string text = long_text();
  EXPECT_EQ(read(folder.file("a.txt.gz", gzip(text)))[0].text, text);
  EXPECT_EQ(read(folder.file("a.txt.zst", zstd(text)))[0].text, text);
  EXPECT_EQ(read(folder.file("b.txt.gz", gzip("one") + gzip("two")))[0].text, "onetwo");
  EXPECT_EQ(read(folder.file("b.txt.zst", zstd("one") + zstd("two")))[0].text, "onetwo");
  EXPECT_EQ(read(folder.file("c.jsonl.gz", gzip("{\"text\": \"z\"}")))[0].text, "z");
}

TEST(ReadDocuments, TellsAllBytesOfTheFile) {
  const TestFolder folder;
  for (const std::string& file :
       {folder.file("a.txt", long_text()), folder.file("a.txt.gz", gzip(long_text()))}) {
    int64_t told = 0;
    read_documents(file, "text", [](const Document&) {}, [&](int64_t bytes) { told += bytes; });
    EXPECT_EQ(told, static_cast<int64_t>(fs::file_size(file)));
  }
}

TEST(ReadDocuments, NamesWhatIsWrong) {
  const TestFolder folder;
  const std::string cut = gzip(long_text()).substr(0, 5000);
  const auto failure = [&folder](const std::string& name, const std::string& content) {
    const std::string file = folder.file(name, content);
    std::string message = message_of([&] { read(file); });
    return message.starts_with(file) ? message.substr(file.size()) : "unnamed: " + message;
  };
  EXPECT_EQ(failure("a.txt", "caf\xE9!"),
            ": byte 3: found 0xe9, expected UTF-8 text (convert it: iconv -f LATIN1 -t UTF-8)");
  EXPECT_EQ(failure("a.jsonl", "{\"text\": \"a\"}\n{\"text\": \"\xE9\"}"),
            ": byte 24: found 0xe9, expected UTF-8 text (convert it: iconv -f LATIN1 -t UTF-8)");
  EXPECT_TRUE(failure("b.jsonl", "{\"text\": \"a\"}\n{\"tex").starts_with(":2: ")) << "line";
  EXPECT_TRUE(failure("c.jsonl", "{\"content\": \"a\"}").starts_with(":1: text: ")) << "key";
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
  const TestFolder folder;
  folder.file("in/b.txt", "b");
  folder.file("in/a.jsonl.gz", "a");
  folder.file("in/deep/c.txt.zst", "c");
  folder.file("in/.hidden/d.txt", "d");
  folder.file("in/readme.md", "e");
  const std::string root = (folder / "in").string();
  const std::vector<fs::path> all{root + "/a.jsonl.gz", root + "/b.txt", root + "/deep/c.txt.zst"};
  EXPECT_EQ(find_document_files({root}), all);
  EXPECT_EQ(find_document_files({root + "/b.txt", root + "/[a]*"}),
            (std::vector<fs::path>{all[1], all[0]}));
  EXPECT_EQ(find_document_files({root + "/*"}), all);
}

TEST(FindDocumentFiles, NamesWhatIsNotThere) {
  const TestFolder folder;
  const std::string markdown = folder.file("in/a.md", "x");
  const std::string missing = (folder / "no*").string();
  EXPECT_EQ(message_of([&] { find_document_files({missing}); }),
            missing +
                ": found nothing there, expected a .txt or .jsonl file (also .gz, .zst), a "
                "folder of them or a glob");
  const std::string empty = (folder / "in").string();
  EXPECT_EQ(message_of([&] { find_document_files({empty}); }),
            empty +
                ": found no documents, expected a .txt or .jsonl file (also .gz, .zst), a "
                "folder of them or a glob");
  EXPECT_EQ(message_of([&] { find_document_files({markdown}); }),
            markdown +
                ": found file name ending in \".md\", expected .txt or .jsonl, or one of "
                "these with .gz or .zst");
}

}  // namespace
}  // namespace slayer
