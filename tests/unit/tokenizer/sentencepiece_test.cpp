#include <gtest/gtest.h>

#include "tests/unit/tokenizer/tiny_tokenizer.h"

namespace slayer {
namespace {

using Ids = std::vector<TokenId>;

/// A length-delimited protobuf field of fewer than 128 bytes.
std::string field(int number, const std::string& bytes) {
  return std::string{static_cast<char>(number << 3 | 2), static_cast<char>(bytes.size())} + bytes;
}

std::string piece(const std::string& text, char type = 1) {
  return field(1, field(1, text) + std::string{0x15, 0, 0, 0, 0} + std::string{0x18, type});
}

const std::string kBpe = field(2, std::string{0x18, 2});  // TrainerSpec.model_type

/// <unk>, <s>, </s>, the mark of a space, a, b, mark + a, ab, and the user's own token.
std::string tiny_model() {
  return piece("<unk>", 2) + piece("<s>", 3) + piece("</s>", 3) + piece("\u2581") + piece("a") +
         piece("b") + piece("\u2581a") + piece("ab") + piece("[x]", 4) + kBpe;
}

Tokenizer tokenizer_with(const std::string& config, const std::string& model = tiny_model()) {
  return Tokenizer::from_side_files({{"tokenizer.model", model}, {"tokenizer_config.json", config}},
                                    "model");
}

std::string message_with(const std::string& config, const std::string& model = tiny_model()) {
  return message_of([&] { tokenizer_with(config, model); });
}

TEST(SentencePiece, MergesInTheOrderOfIds) {
  const Tokenizer tokenizer = tokenizer_with("{}");
  EXPECT_EQ(tokenizer.encode("ab ab", true), (Ids{1, 6, 5, 6, 5}));
  EXPECT_EQ(tokenizer.encode("bab", false), (Ids{3, 5, 7}));
  EXPECT_EQ(tokenizer.decode({1, 6, 5, 6, 5}, true), "ab ab");
}

TEST(SentencePiece, FollowsTheConfiguration) {
  const Tokenizer plain = tokenizer_with(
      R"({"add_bos_token": false, "add_eos_token": true, "add_prefix_space": false,
          "eos_token": {"content": "</s>"},
          "added_tokens_decoder": {"9": {"content": "<tool>", "special": true}}})");
  EXPECT_EQ(plain.encode("ab<tool>[x]a", true), (Ids{7, 9, 8, 4, 2}));
  EXPECT_TRUE(plain.is_special(9));
  EXPECT_FALSE(plain.is_special(8));
  EXPECT_EQ(plain.eos_id(), 2);
  const Tokenizer legacy = tokenizer_with(R"({"legacy": true, "add_bos_token": false})");
  EXPECT_EQ(legacy.encode("a[x]a", true), (Ids{6, 8, 6}));  // A space after every special token.
  const Tokenizer modern = tokenizer_with(R"({"legacy": false, "add_bos_token": false})");
  EXPECT_EQ(modern.encode("a[x]a", true), (Ids{6, 8, 4}));
}

TEST(SentencePiece, FallsBackToBytes) {
  std::string model = tiny_model();
  for (const char* const byte : {"<0xC3>", "<0xA9>"}) {
    model += piece(byte, 6);
  }
  const Tokenizer tokenizer = tokenizer_with("{}", model);
  EXPECT_EQ(tokenizer.encode("a\u00E9", false), (Ids{6, 9, 10}));
  EXPECT_EQ(tokenizer.decode({6, 9, 10, 9}, false), "a\uFFFD\uFFFD\uFFFD");
  StreamDecoder stream(tokenizer, false);
  EXPECT_EQ(stream.push(6), "a");
  EXPECT_EQ(stream.push(9), "");
  EXPECT_EQ(stream.push(10), "");
  EXPECT_EQ(stream.push(6), "\u00E9 a");
  EXPECT_EQ(stream.finish(), "");
}

TEST(SentencePiece, RefusesWhatItCannotBe) {
  EXPECT_EQ(
      message_with("{}", "not a model"),
      "model/tokenizer.model: byte 1 of a message: found wire type 6, expected a SentencePiece "
      "model");
  EXPECT_EQ(
      message_with("{}", tiny_model().substr(0, 20)),
      "model/tokenizer.model: byte 18 of a message: found a field of 12 bytes where 2 are left, "
      "expected a SentencePiece model");
  EXPECT_EQ(message_with("{}", std::string(11, '\xFF')),
            "model/tokenizer.model: byte 10 of a message: found a number of more than 64 bits, "
            "expected a SentencePiece model");
  EXPECT_EQ(message_with("{}", kBpe),
            "model/tokenizer.model: pieces: found none, expected a SentencePiece model");
  EXPECT_EQ(message_with("{}", piece("a")),
            "model/tokenizer.model: trainer_spec.model_type: found 1, expected 2, BPE");
  EXPECT_EQ(message_with("{}", tiny_model() + field(3, field(2, "table"))),
            "model/tokenizer.model: normalizer_spec.precompiled_charsmap: found a table, expected "
            "none: text as it is");
  EXPECT_EQ(message_with("{}", piece("") + kBpe),
            "model/tokenizer.model: pieces[0]: found \"\", expected 1 to 512 bytes of UTF-8");
  EXPECT_EQ(message_with("{}", piece("\xFF") + kBpe),
            "model/tokenizer.model: pieces[0]: found \"\\xff\", expected 1 to 512 bytes of UTF-8");
  EXPECT_EQ(
      message_with("{}", tiny_model() + piece("a")),
      "model/tokenizer.model: model.vocab.a: found the token twice, expected each token and id "
      "once");
}

TEST(SentencePiece, RefusesAConfigurationThatDoesNotFit) {
  EXPECT_EQ(message_with(R"({"bos_token": "<bos>"})"),
            "model/tokenizer_config.json: bos_token: found <bos>, expected a piece of the model");
  EXPECT_EQ(
      message_with(R"({"added_tokens_decoder": {"x": {"content": "y"}}})"),
      "model/tokenizer_config.json: added_tokens_decoder.x: found {\"content\":\"y\"}, expected a "
      "token under its id");
  EXPECT_EQ(message_with(R"({"added_tokens_decoder": {"12": {"content": "y"}}})"),
            "model/tokenizer.model: added_tokens[4].id: found 12 for y, expected 9");
}

}  // namespace
}  // namespace slayer
