#include "slayer/data/documents.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

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
    read_documents(file, "text", [](const Document&) {}, [&](int64_t bytes) { told += bytes; });
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
  const std::string root = (folder / "in").string();
  const std::vector<fs::path> all{root + "/a.jsonl.gz", root + "/b.txt", root + "/deep/c.txt.zst"};
  EXPECT_EQ(find_document_files({root}), all);
  EXPECT_EQ(find_document_files({root + "/b.txt", root + "/[a]*"}),
            (std::vector<fs::path>{all[1], all[0]}));
  EXPECT_EQ(find_document_files({root + "/*"}), all);
}

TEST(FindDocumentFiles, NamesWhatIsNotThere) {
  const ScratchFolder folder;
  const std::string markdown = file_in(folder, "in/a.md", "x");
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
