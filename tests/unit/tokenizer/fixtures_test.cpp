#include <fmt/format.h>
#include <gtest/gtest.h>

#include "slayer/core/file.h"
#include "slayer/core/json.h"
#include "slayer/tokenizer/tokenizer.h"

namespace slayer {
namespace {

/// Tokenizers in the shape of each family's, and what Hugging Face's package makes of texts:
/// tools/fixtures/make_tokenizers.py.
class Family : public testing::TestWithParam<const char*> {
 protected:
  Family()
      : tokenizer_(Tokenizer::from_side_files(
            {{"tokenizer.json", read_text_file(folder() + "/tokenizer.json")}}, GetParam())),
        cases_(read_json_file(folder() + "/expected.json")["cases"]) {}

  static std::string folder() {
    return fmt::format("{}/tokenizers/{}", SLAYER_FIXTURES, GetParam());
  }

  Tokenizer tokenizer_;
  Json cases_;
};

TEST_P(Family, EncodesAsTokenizersDoes) {
  for (const Json& item : cases_) {
    if (item.contains("text")) {
      SCOPED_TRACE(compact_text(item["text"]));
      const auto text = item["text"].get<std::string>();
      EXPECT_EQ(tokenizer_.encode(text, true), item["ids"].get<std::vector<TokenId>>());
      EXPECT_EQ(tokenizer_.encode(text, false), item["plain_ids"].get<std::vector<TokenId>>());
    }
  }
}

TEST_P(Family, DecodesAsTokenizersDoes) {
  for (const Json& item : cases_) {
    const auto ids = item["ids"].get<std::vector<TokenId>>();
    SCOPED_TRACE(compact_text(item["ids"]));
    EXPECT_EQ(tokenizer_.decode(ids, false), item["decoded"].get<std::string>());
    if (item.contains("decoded_without_special")) {
      EXPECT_EQ(tokenizer_.decode(ids, true), item["decoded_without_special"].get<std::string>());
    }
  }
}

TEST_P(Family, StreamsWhatItDecodes) {
  for (const Json& item : cases_) {
    SCOPED_TRACE(compact_text(item["ids"]));
    for (const bool skips : {false, true}) {
      StreamDecoder stream(tokenizer_, skips);
      std::string shown;
      const auto ids = item["ids"].get<std::vector<TokenId>>();
      for (const TokenId id : ids) {
        shown += stream.push(id);
      }
      shown += stream.finish();
      EXPECT_EQ(shown, tokenizer_.decode(ids, skips));
    }
  }
}

TEST_P(Family, EncodesABatchAsOneByOne) {
  std::vector<std::string> texts;
  for (const Json& item : cases_) {
    if (item.contains("text")) {
      texts.push_back(item["text"]);
    }
  }
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  const auto batch = tokenizer_.encode_batch(views, true, 3);
  ASSERT_EQ(batch.size(), texts.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(batch[i], tokenizer_.encode(texts[i], true));
  }
}

INSTANTIATE_TEST_SUITE_P(Families,
                         Family,
                         testing::Values("gpt2",
                                         "smollm",
                                         "llama3",
                                         "qwen2",
                                         "tekken",
                                         "llama2_legacy",
                                         "llama2",
                                         "metaspace_always",
                                         "odd"),
                         [](const auto& param) { return std::string(param.param); });

}  // namespace
}  // namespace slayer
