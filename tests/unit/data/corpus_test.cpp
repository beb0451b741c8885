#include "slayer/data/corpus.h"

#include <atomic>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <set>
#include <utility>

#include "slayer/core/file.h"

#include "tests/support/error_message.h"
#include "tests/support/text_file.h"

namespace slayer {
namespace {

namespace fs = std::filesystem;

/// A token a byte, then 0.
DocumentEncoder byte_encoder(std::atomic<int>* calls = nullptr) {
  return {.encode =
              [calls](const Document& document) {
                if (calls != nullptr) {
                  ++*calls;
                }
                std::vector<TokenId> ids(document.text.begin(), document.text.end());
                ids.push_back(0);
                return EncodedDocument{.tokens = ids};
              },
          .key = "bytes",
          .description = ""};
}

Corpus open(const CorpusFiles& source, const DocumentEncoder& encoder, const fs::path& cache) {
  return open_corpus(source, encoder, cache, /*threads=*/3, ProgressStyle::kSilent, {});
}

TEST(OpenCorpus, HoldsTheDocumentsInOrder) {
  const ScratchFolder folder;
  const CorpusFiles source{
      .files = {file_in(folder, "a.txt", "ab"),
                file_in(folder, "b.jsonl", "{\"text\":\"c\"}\n\n{\"text\":\"de\"}")}};
  const Corpus corpus = open(source, byte_encoder(), folder / "cache");
  const std::span<const TokenId> tokens = corpus.tokens.tokens();
  EXPECT_EQ(std::vector<TokenId>(tokens.begin(), tokens.end()),
            (std::vector<TokenId>{'a', 'b', 0, 'c', 0, 'd', 'e', 0}));
  EXPECT_EQ(corpus.tokens.document_count(), 3);
  EXPECT_EQ(corpus.document_name(0), source.files[0].string());
  EXPECT_EQ(corpus.document_name(2), source.files[1].string() + ":3");
  EXPECT_EQ(corpus.tokens.document_at(2), 0);
  EXPECT_EQ(corpus.tokens.document_at(3), 1);
  EXPECT_EQ(corpus.tokens.document_at(7), 2);
}

TEST(OpenCorpus, EncodesOnceForTheSameContent) {
  const ScratchFolder folder;
  std::atomic<int> calls = 0;
  const CorpusFiles source{
      .files = {file_in(folder, "a.txt", "ab"), file_in(folder, "b.txt", "cd")}};
  const fs::path cache = folder / "cache";
  const std::string key = open(source, byte_encoder(&calls), cache).key;
  EXPECT_EQ(calls, 2);
  const Corpus again = open(source, byte_encoder(&calls), cache);
  EXPECT_TRUE(again.was_cached);
  EXPECT_EQ(again.key, key);
  EXPECT_EQ(calls, 2);
  file_in(folder, "b.txt", "ce");
  EXPECT_NE(open(source, byte_encoder(&calls), cache).key, key);
  EXPECT_EQ(calls, 4);
  DocumentEncoder other = byte_encoder(&calls);
  other.key = "other";
  EXPECT_FALSE(open(source, other, cache).was_cached);
}

TEST(OpenCorpus, MakesADamagedCacheAgain) {
  const ScratchFolder folder;
  const CorpusFiles source{.files = {file_in(folder, "a.txt", "ab")}};
  const fs::path cache = folder / "cache";
  open(source, byte_encoder(), cache);
  const fs::path file = fs::directory_iterator(cache)->path();
  const std::string whole = read_text_file(file);
  for (size_t size = 0; size < whole.size(); size += 11) {
    write_text_file(file, whole.substr(0, size));
    EXPECT_FALSE(open(source, byte_encoder(), cache).was_cached) << size;
    EXPECT_EQ(read_text_file(file), whole);
  }
}

TEST(OpenCorpus, PassesOnTheErrorOfAnyThread) {
  const ScratchFolder folder;
  DocumentEncoder encoder = byte_encoder();
  encoder.encode = [](const Document&) -> EncodedDocument {
    throw Error({.item = "encode", .found = "a bug"});
  };
  const CorpusFiles source{
      .files = {file_in(folder, "a.txt", "ab"), file_in(folder, "b.txt", "cd")}};
  EXPECT_EQ(message_of([&] { open(source, encoder, folder / "cache"); }),
            "encode: found a bug (in " + source.files[0].string() + ")");
}

TEST(OpenCorpus, RefusesAnEmptyCorpusAndStopsWhenAsked) {
  const ScratchFolder folder;
  const std::string empty = file_in(folder, "empty.txt", "");
  EXPECT_EQ(message_of([&] { open({.files = {empty}}, byte_encoder(), folder / "cache"); }),
            empty + ": found no text, expected at least one document");
  EXPECT_EQ(message_of([&] { open({.files = {empty, empty}}, byte_encoder(), folder / "cache"); }),
            empty + ": found no text in this and 1 more files, expected at least one document");
  std::stop_source stop;
  stop.request_stop();
  const CorpusFiles source{.files = {file_in(folder, "a.txt", "ab")}};
  EXPECT_THROW(open_corpus(source,
                           byte_encoder(),
                           folder / "cache",
                           /*threads=*/1,
                           ProgressStyle::kSilent,
                           stop.get_token()),
               Interrupted);
}

TEST(OpenCorpus, HoldsOutAShareOfTheDocuments) {
  const ScratchFolder folder;
  std::string lines;
  for (int i = 0; i < 1000; ++i) {
    lines += fmt::format("{{\"text\": \"document {}\"}}\n", i % 500);  // each twice
  }
  CorpusFiles source{.files = {file_in(folder, "a.jsonl", lines)}, .holdout = 0.2};
  const auto texts = [&](CorpusPart part) {
    source.part = part;
    const Corpus corpus = open(source, byte_encoder(), folder / "cache");
    std::multiset<std::string> found;
    std::string text;
    for (const TokenId token : corpus.tokens.tokens()) {
      if (token == 0) {
        found.insert(std::exchange(text, ""));
      } else {
        text += static_cast<char>(token);
      }
    }
    return found;
  };
  const std::multiset<std::string> trained = texts(CorpusPart::kTrained);
  const std::multiset<std::string> held_out = texts(CorpusPart::kHeldOut);
  EXPECT_EQ(trained.size() + held_out.size(), 1000U);
  // Of 500 texts a fifth: 100, standard deviation 9; both copies fall together.
  EXPECT_NEAR(static_cast<double>(held_out.size()), 200.0, 110.0);
  for (const std::string& text : held_out) {
    EXPECT_FALSE(trained.contains(text)) << text;
    EXPECT_EQ(held_out.count(text), 2U) << text;
  }
  source.part = CorpusPart::kHeldOut;
  source.files = {file_in(folder, "one.txt", "x")};
  source.holdout = 1e-9;
  EXPECT_EQ(message_of([&] { open(source, byte_encoder(), folder / "cache"); }),
            source.files[0].string() +
                ": found no text that was held out, expected at least one document (a larger "
                "--holdout?)");
}

TEST(TokenStore, KeepsTheSpansThatAreLearnt) {
  const ScratchFolder folder;
  const std::string key(64, 'k');
  TokenStoreWriter writer(folder / "t.bin", key, /*learns_all=*/false);
  writer.add(std::vector<TokenId>{1, 2, 3}, {}, std::vector<TokenSpan>{{.begin = 1, .end = 3}});
  writer.add(std::vector<TokenId>{4}, {});
  writer.add(std::vector<TokenId>{5, 6}, {}, std::vector<TokenSpan>{{.begin = 0, .end = 1}});
  writer.commit();
  const TokenStore store(folder / "t.bin", key);
  ASSERT_TRUE(store.learnt());
  EXPECT_EQ(std::vector<TokenSpan>(store.learnt()->begin(), store.learnt()->end()),
            (std::vector<TokenSpan>{{.begin = 1, .end = 3}, {.begin = 4, .end = 5}}));
}

TEST(TokenStore, NamesWhatIsWrongWithAFile) {
  const ScratchFolder folder;
  const std::string key(64, 'k');
  TokenStoreWriter writer(folder / "t.bin", key);
  writer.add(std::vector<TokenId>{1, 2, 3}, {.file = 0, .line = 1});
  writer.add(std::vector<TokenId>{4}, {.file = 0, .line = 2});
  writer.commit();
  const std::string whole = read_text_file(folder / "t.bin");
  const auto failure = [&](std::string content) {
    const std::string file = file_in(folder, "bad.bin", content);
    const std::string message = message_of([&] { TokenStore(file, key); });
    return message == "no error" ? message : message.substr(file.size());
  };
  const std::string rest =
      ", expected tokens written by slayer (remove the file: it is only a cache)";
  EXPECT_EQ(failure(whole), "no error");
  EXPECT_EQ(failure("short"), ": found 5 bytes" + rest);
  std::string bad = whole;
  bad[20] = 'x';
  EXPECT_EQ(failure(bad), ": found another header" + rest);
  bad = whole;
  bad[bad.size() - 17] = '\x7f';  // the top byte of the token count
  EXPECT_EQ(failure(bad), ": found counts beyond the file" + rest);
  bad = whole;
  bad[bad.size() - 16] = 1;  // one document
  EXPECT_EQ(failure(bad), ": found counts that do not fit its size" + rest);
  bad = whole;
  bad[16 + 64 + 16] = 4;  // the first document ends where the second does
  EXPECT_EQ(failure(bad), ": found documents out of order" + rest);
}

}  // namespace
}  // namespace slayer
