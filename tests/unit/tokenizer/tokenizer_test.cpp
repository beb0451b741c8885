#include "slayer/tokenizer/tokenizer.h"

#include <chrono>
#include <gtest/gtest.h>

#include "slayer/core/file.h"

#include "tests/unit/tokenizer/tiny_tokenizer.h"

namespace slayer {
namespace {

using Ids = std::vector<TokenId>;

TEST(Tokenizer, MergesByRank) {
  const Tokenizer tokenizer = tokenizer_of(compact_text(tiny_tokenizer_json()));
  EXPECT_EQ(tokenizer.encode("abc", false), Ids{6});
  EXPECT_EQ(tokenizer.encode("abcd", false), (Ids{5, 7}));  // "c d" has the lowest rank.
  EXPECT_EQ(tokenizer.encode("ab a", false), (Ids{5, 4, 0}));
}

TEST(Tokenizer, LeavesOutBytesWithoutAToken) {
  const Tokenizer tokenizer = tokenizer_of(compact_text(tiny_tokenizer_json()));
  EXPECT_EQ(tokenizer.encode("aZb", false), Ids{5});  // They vanish before anything merges.
}

TEST(Tokenizer, AddsAndFindsSpecialTokens) {
  const Tokenizer tokenizer = tokenizer_of(compact_text(tiny_tokenizer_json()));
  EXPECT_EQ(tokenizer.encode("a<s>b", true), (Ids{8, 0, 8, 1}));
  EXPECT_EQ(tokenizer.prefix_ids(), Ids{8});
  EXPECT_EQ(tokenizer.decode({8, 0, 8, 1}, true), "ab");
  EXPECT_EQ(tokenizer.decode({8, 0, 8, 1}, false), "<s>a<s>b");
  EXPECT_TRUE(tokenizer.is_special(8));
  EXPECT_FALSE(tokenizer.is_special(7));
  EXPECT_FALSE(tokenizer.is_special(-1));
}

TEST(Tokenizer, KnowsItsTokens) {
  const Tokenizer tokenizer = tokenizer_of(compact_text(tiny_tokenizer_json()));
  EXPECT_EQ(tokenizer.vocab_size(), 9);
  EXPECT_EQ(tokenizer.id_of("cd"), 7);
  EXPECT_EQ(tokenizer.id_of("dc"), std::nullopt);
  EXPECT_EQ(tokenizer.token_of(7), "cd");
  EXPECT_EQ(tokenizer.token_of(9), "");
  EXPECT_EQ(tokenizer.decode({-1, 7, 9}, false), "cd");
}

TEST(Tokenizer, TakesBosAndEosFromTheConfigurations) {
  const Tokenizer tokenizer = Tokenizer::from_side_files(
      {{"tokenizer.json", compact_text(tiny_tokenizer_json())},
       {"tokenizer_config.json", R"({"bos_token": {"content": "<s>"}})"},
       {"special_tokens_map.json", R"({"bos_token": "a", "eos_token": "cd"})"}},
      "model");
  EXPECT_EQ(tokenizer.bos_id(), 8);
  EXPECT_EQ(tokenizer.eos_id(), 7);
}

TEST(Tokenizer, ReadsBytesThatAreNotUtf8AsReplacementCharacters) {
  const auto file =
      read_text_file(std::string(SLAYER_FIXTURES) + "/tokenizers/smollm/tokenizer.json");
  const Tokenizer tokenizer = tokenizer_of(file);
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("a\xF0\x9F\x99z\xFF", false), false),
            "a\uFFFDz\uFFFD");
}

TEST(Tokenizer, TakesALongPieceInItsStride) {
  Json json = tiny_tokenizer_json();
  json["model"]["vocab"]["aa"] = 8;
  json["model"]["vocab"]["aaaa"] = 9;
  json["model"]["merges"].push_back("a a");
  json["model"]["merges"].push_back("aa aa");
  json["added_tokens"] = Json::array();
  json.erase("post_processor");
  const Tokenizer tokenizer = tokenizer_of(compact_text(json));
  const auto start = std::chrono::steady_clock::now();
  const Ids ids = tokenizer.encode(std::string(1'000'002, 'a'), false);
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  EXPECT_EQ(ids.size(), 250'001U);
  EXPECT_EQ(ids.front(), 9);
  EXPECT_EQ(ids.back(), 8);
  EXPECT_LT(elapsed.count(), 60.0);  // Quadratic work would take hours.
}

TEST(Tokenizer, RefusesATextThatIsTooLong) {
  const Tokenizer tokenizer = tokenizer_of(compact_text(tiny_tokenizer_json()));
  const std::string text(16, 'a');
  const std::string_view huge(text.data(), size_t{1} << 31);  // Never read: the size is refused.
  EXPECT_EQ(message_of([&] { tokenizer.encode(huge, false); }),
            "a text to tokenize: found 2147483648 bytes, expected fewer than 2 GiB");
}

TEST(Tokenizer, PassesOnTheErrorOfABatch) {
  const Tokenizer tokenizer = tokenizer_of(compact_text(tiny_tokenizer_json()));
  const std::string text(16, 'a');
  const std::vector<std::string_view> texts = {"a", {text.data(), size_t{1} << 31}, "b"};
  EXPECT_EQ(message_of([&] { tokenizer.encode_batch(texts, false, 2); }),
            "a text to tokenize: found 2147483648 bytes, expected fewer than 2 GiB");
}

TEST(StreamDecoder, HoldsACharacterUntilItIsWhole) {
  Json json = tiny_tokenizer_json();
  json["model"]["vocab"]["\u00C3"] = 8;  // The bytes C3 and A9 in GPT-2's alphabet.
  json["model"]["vocab"]["\u00A9"] = 9;
  json["added_tokens"] = Json::array();
  json.erase("post_processor");
  StreamDecoder stream(tokenizer_of(compact_text(json)), false);
  EXPECT_EQ(stream.push(0), "a");
  EXPECT_EQ(stream.push(8), "");
  EXPECT_EQ(stream.push(9), "\u00E9");
  EXPECT_EQ(stream.push(8), "");
  EXPECT_EQ(stream.push(0), "\uFFFDa");
  EXPECT_EQ(stream.push(8), "");
  EXPECT_EQ(stream.push(1234), "");  // No token has this id.
  EXPECT_EQ(stream.finish(), "\uFFFD");
  EXPECT_EQ(stream.finish(), "");
}

}  // namespace
}  // namespace slayer
