#include <gtest/gtest.h>
#include <ostream>

#include "tests/unit/tokenizer/tiny_tokenizer.h"

namespace slayer {
namespace {

/// A change of the tiny tokenizer: `value` at the JSON pointer, and what reading it must say.
struct Refusal {
  const char* pointer;
  const char* value;
  const char* message;
};

void PrintTo(const Refusal& refusal, std::ostream* out) {
  *out << refusal.pointer << " = " << refusal.value;
}

class Refused : public testing::TestWithParam<Refusal> {};

TEST_P(Refused, NamesTheKeyAndWhatIsWrong) {
  Json json = tiny_tokenizer_json();
  json[Json::json_pointer(GetParam().pointer)] = parse_json(GetParam().value, "test");
  EXPECT_EQ(message_of([&] { tokenizer_of(compact_text(json)); }),
            std::string("model/tokenizer.json: ") + GetParam().message);
}

constexpr Refusal kModelRefusals[] = {
    {"", "[]", "found [], expected a JSON object"},
    {"/model", "null", "model: found null, expected a JSON object"},
    {"/model", "{}", "model.vocab: found no tokens, expected an object of tokens and ids"},
    {"/model/type", "\"Unigram\"", "model.type: found Unigram, expected BPE"},
    {"/model/type", "\"WordPiece\"", "model.type: found WordPiece, expected BPE"},
    {"/model/type", "7", "model.type: found 7, expected a string"},
    {"/model/dropout",
     "0.1",
     "model.dropout: found a number, expected null: encoding must not be random"},
    {"/model/dropout", "\"x\"", "model.dropout: found \"x\", expected a number"},
    {"/model/continuing_subword_prefix",
     "\"##\"",
     "model.continuing_subword_prefix: found ##, expected nothing"},
    {"/model/end_of_word_suffix",
     "\"</w>\"",
     "model.end_of_word_suffix: found </w>, expected nothing"},
    {"/model/unk_token", "\"?\"", "model.unk_token: found ?, expected a token of model.vocab"},
    {"/model/byte_fallback", "1", "model.byte_fallback: found 1, expected true or false"},
    {"/model/fuse_unk", "\"no\"", "model.fuse_unk: found \"no\", expected true or false"},
    {"/model/ignore_merges", "[]", "model.ignore_merges: found [], expected true or false"},
    {"/model/vocab", "[]", "model.vocab: found array, expected an object"},
    {"/model/vocab", "{}", "model.vocab: found no tokens, expected an object of tokens and ids"},
    {"/model/vocab/a", "-1", "model.vocab.a: found -1, expected an integer from 0 to 4194303"},
    {"/model/vocab/a",
     "4194304",
     "model.vocab.a: found 4194304, expected an integer from 0 to 4194303"},
    {"/model/vocab/a",
     "18446744073709551615",
     "model.vocab.a: found 18446744073709551615, expected an integer from 0 to 4194303"},
    {"/model/vocab/a", "1.5", "model.vocab.a: found 1.5, expected an integer from 0 to 4194303"},
    {"/model/vocab/a", "null", "model.vocab.a: found null, expected an integer from 0 to 4194303"},
    {"/model/vocab/a", "[[]]", "model.vocab.a: found array, expected an integer from 0 to 4194303"},
    {"/model/vocab/x",
     "1",
     "model.vocab.x: found id 1, which \"b\" has too, expected each token and id once"},
    {"/model/merges", "{}", "model.merges: found object, expected an array"},
    {"/model/merges/0",
     "\"c e\"",
     "model.merges[0]: found the right part \"e\", expected a token of model.vocab"},
    {"/model/merges/0",
     "\"e c\"",
     "model.merges[0]: found the left part \"e\", expected a token of model.vocab"},
    {"/model/merges/0",
     "\"a c\"",
     "model.merges[0]: found the result \"ac\", expected a token of model.vocab"},
    {"/model/merges/0",
     "\"cd\"",
     "model.merges[0]: found \"cd\", expected two tokens, as \"a b\" or [\"a\", \"b\"]"},
    {"/model/merges/1",
     "\"a b c\"",
     "model.merges[1]: found \"a b c\", expected two tokens, as \"a b\" or [\"a\", \"b\"]"},
    {"/model/merges/1",
     "7",
     "model.merges[1]: found 7, expected two tokens, as \"a b\" or [\"a\", \"b\"]"},
    {"/model/merges/1",
     "[\"a\"]",
     "model.merges[1]: found an array of 1, expected two tokens, as \"a b\" or [\"a\", \"b\"]"},
    {"/model/merges/1",
     "[\"a\", 7]",
     "model.merges[1]: found 7, expected two tokens, as \"a b\" or [\"a\", \"b\"]"},
    {"/model/merges/1",
     "[[\"a\"]]",
     "model.merges[1]: found array, expected two tokens, as \"a b\" or [\"a\", \"b\"]"},
};
INSTANTIATE_TEST_SUITE_P(Model, Refused, testing::ValuesIn(kModelRefusals));

constexpr Refusal kTextRefusals[] = {
    {"/normalizer", "7", "normalizer: found 7, expected a JSON object"},
    {"/normalizer", "{}", "normalizer.type: found nothing, expected this key"},
    {"/normalizer",
     R"({"type": "Lowercase"})",
     "normalizer.type: found Lowercase, expected Sequence, NFC, Prepend or Replace"},
    {"/normalizer",
     R"({"type": "Sequence", "normalizers": [{"type": "NFKC"}]})",
     "normalizer.normalizers[].type: found NFKC, expected Sequence, NFC, Prepend or Replace"},
    {"/normalizer",
     R"({"type": "Sequence", "normalizers": {}})",
     "normalizer.normalizers: found {}, expected an array"},
    {"/normalizer",
     R"({"type": "Prepend"})",
     "normalizer.prepend: found nothing, expected this key"},
    {"/normalizer",
     R"({"type": "Replace", "pattern": {"String": ""}, "content": ""})",
     "normalizer.pattern.String: found nothing, expected text to replace"},
    {"/normalizer",
     R"({"type": "Replace", "pattern": {"Regex": "("}, "content": ""})",
     "normalizer.pattern: found (, expected a regular expression (missing closing parenthesis)"},
    {"/pre_tokenizer",
     R"({"type": "BertPreTokenizer"})",
     "pre_tokenizer.type: found BertPreTokenizer, expected Sequence, ByteLevel, Digits, Split or "
     "Metaspace"},
    {"/pre_tokenizer",
     R"({"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"}, {"type": "Digits"}]})",
     "pre_tokenizer.pretokenizers[].type: found Digits after ByteLevel, expected ByteLevel last"},
    {"/pre_tokenizer",
     R"({"type": "Digits"})",
     "pre_tokenizer.individual_digits: found nothing, expected this key"},
    {"/pre_tokenizer",
     R"({"type": "Split", "behavior": "Glued", "pattern": {"String": "x"}})",
     "pre_tokenizer.behavior: found Glued, expected Isolated, Removed, MergedWithPrevious, "
     "MergedWithNext or Contiguous"},
    {"/pre_tokenizer",
     R"({"type": "Split", "behavior": "Isolated", "pattern": {}})",
     "pre_tokenizer.pattern.Regex: found nothing, expected this key"},
    {"/pre_tokenizer",
     R"({"type": "Split", "behavior": "Isolated", "pattern": {"Regex": "[a-z"}})",
     "pre_tokenizer.pattern: found [a-z, expected a regular expression (missing terminating ] for "
     "character class)"},
    {"/pre_tokenizer",
     R"({"type": "Split", "behavior": "Isolated", "pattern": {"Regex": "\\bx"}})",
     "pre_tokenizer.pattern: found \\b in \\bx, expected a pattern without it"},
    {"/pre_tokenizer",
     R"({"type": "Split", "behavior": "Isolated", "pattern": {"Regex": "[a&&b]"}})",
     "pre_tokenizer.pattern: found && in a character class of [a&&b], expected a pattern without "
     "it"},
    {"/pre_tokenizer",
     R"({"type": "Metaspace", "replacement": "ab"})",
     "pre_tokenizer.replacement: found ab, expected one character"},
    {"/pre_tokenizer",
     R"({"type": "Metaspace", "replacement": "_", "prepend_scheme": "last"})",
     "pre_tokenizer.prepend_scheme: found last, expected first, never or always"},
    {"/pre_tokenizer",
     R"({"type": "Metaspace", "replacement": "_", "add_prefix_space": false})",
     "pre_tokenizer.add_prefix_space: found false, expected true, or \"prepend_scheme\": "
     "\"never\""},
};
INSTANTIATE_TEST_SUITE_P(Text, Refused, testing::ValuesIn(kTextRefusals));

constexpr Refusal kTokenRefusals[] = {
    {"/added_tokens", "{}", "added_tokens: found object, expected an array"},
    {"/added_tokens/0", "7", "added_tokens[0]: found 7, expected a JSON object"},
    {"/added_tokens/0/id",
     "-1",
     "added_tokens[0].id: found -1, expected an integer from 0 to 4194303"},
    {"/added_tokens/0/id", "9", "added_tokens[0].id: found 9 for <s>, expected 8"},
    {"/added_tokens/0/content",
     "\"\"",
     "added_tokens[0].content: found nothing, expected the token's text"},
    {"/added_tokens/0/special", "1", "added_tokens[0].special: found 1, expected true or false"},
    {"/post_processor",
     R"({"type": "BertProcessing"})",
     "post_processor.type: found BertProcessing, expected Sequence, TemplateProcessing or "
     "ByteLevel"},
    {"/post_processor/single",
     "[]",
     "post_processor.single: found no sequence, expected the sequence A once"},
    {"/post_processor/single/1/Sequence/id",
     "\"B\"",
     "post_processor.single: found {\"Sequence\":{\"id\":\"B\",\"type_id\":0}}, expected the "
     "sequence A once"},
    {"/post_processor/special_tokens",
     "{}",
     "post_processor.special_tokens.<s>: found nothing, expected the ids of a token that the "
     "template uses"},
    {"/post_processor/special_tokens/<s>/ids/0",
     "99",
     "post_processor.special_tokens.<s>.ids: found 99, expected ids of the vocabulary"},
    {"/post_processor/special_tokens/<s>/ids/0",
     "-1",
     "post_processor.special_tokens.<s>.ids: found -1, expected ids of the vocabulary"},
    {"/decoder",
     R"({"type": "WordPiece"})",
     "decoder.type: found WordPiece, expected Sequence, ByteLevel, ByteFallback, Fuse, Replace, "
     "Strip or Metaspace"},
    {"/decoder",
     R"({"type": "Strip", "content": " ", "start": -1, "stop": 0})",
     "decoder.start: found -1, expected an integer from 0 to 1000000"},
    {"/decoder",
     R"({"type": "Strip", "content": "", "start": 0, "stop": 0})",
     "decoder.content: found nothing, expected one character"},
    {"/decoder",
     R"({"type": "Replace", "pattern": {"String": ""}, "content": ""})",
     "decoder.pattern.String: found nothing, expected text to replace"},
    {"/decoder",
     R"({"type": "Metaspace", "replacement": ""})",
     "decoder.replacement: found nothing, expected one character"},
};
INSTANTIATE_TEST_SUITE_P(Tokens, Refused, testing::ValuesIn(kTokenRefusals));

TEST(RefusedText, NamesTheByteOfBrokenJson) {
  const std::string message =
      message_of([] { tokenizer_of(compact_text(tiny_tokenizer_json()).substr(0, 30)); });
  EXPECT_TRUE(message.starts_with(
      "model/tokenizer.json: byte 31: found invalid JSON, expected JSON ([json.exception"))
      << message;
}

TEST(RefusedText, NamesADuplicateKeyAndDeepNesting) {
  EXPECT_EQ(message_of([] { tokenizer_of(R"({"model": 1, "model": 2})"); }),
            "model/tokenizer.json: model: found a duplicate key, or one of too many, expected each "
            "key once");
  EXPECT_EQ(message_of([] { tokenizer_of(std::string(100, '[')); }),
            "model/tokenizer.json: JSON nesting: found more than 64 levels, expected fewer");
}

TEST(RefusedText, NamesADuplicateToken) {
  EXPECT_EQ(
      message_of([] { tokenizer_of(R"({"model": {"vocab": {"a": 0, "a": 1}, "merges": []}})"); }),
      "model/tokenizer.json: model.vocab.a: found the token twice, expected each token and id "
      "once");
}

TEST(RefusedFiles, NamesWhatIsMissing) {
  EXPECT_EQ(
      message_of([] { Tokenizer::from_side_files({}, "model"); }),
      "model: tokenizer: found neither tokenizer.json nor tokenizer.model, expected one of them");
}

}  // namespace
}  // namespace slayer
