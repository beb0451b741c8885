#include "slayer/data/chat_encoder.h"

#include <gtest/gtest.h>

#include "slayer/core/file.h"

#include "tests/support/error_message.h"

namespace slayer {
namespace {

constexpr const char* kChatMl =
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

Tokenizer smollm() {
  const std::string file = SLAYER_FIXTURES "/tokenizers/smollm/tokenizer.json";
  return Tokenizer::from_side_files({{"tokenizer.json", read_text_file(file)}}, "smollm");
}

Document conversation(const char* messages) {
  return {.conversation = parse_json(messages, "test"), .line = 1};
}

/// What is learnt of the conversation, as text; spans apart by a bar.
std::string learnt_text(const DocumentEncoder& encoder, const Document& document) {
  const EncodedDocument encoded = encoder.encode(document);
  std::string text;
  for (const TokenSpan& span : encoded.learnt) {
    text += (text.empty() ? "" : "|") + smollm().decode({encoded.tokens.begin() + span.begin,
                                                         encoded.tokens.begin() + span.end},
                                                        /*skip_special_tokens=*/false);
  }
  return text;
}

TEST(ChatEncoder, LearnsTheAssistantsTurnsAndTheirEnds) {
  const DocumentEncoder encoder =
      make_chat_encoder(smollm(), "key", ChatTemplate(kChatMl, Json::object(), "t"));
  EXPECT_FALSE(encoder.learns_all);
  const Document document = conversation(R"([{"role": "system", "content": "Be kind."},
      {"role": "user", "content": "one"}, {"role": "assistant", "content": "two"},
      {"role": "user", "content": "three"}, {"role": "assistant", "content": "four five"}])");
  EXPECT_EQ(learnt_text(encoder, document), "two<|im_end|>\n|four five<|im_end|>\n");
  EXPECT_EQ(smollm().decode(encoder.encode(document).tokens, /*skip_special_tokens=*/false),
            "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\none<|im_end|>\n"
            "<|im_start|>assistant\ntwo<|im_end|>\n<|im_start|>user\nthree<|im_end|>\n"
            "<|im_start|>assistant\nfour five<|im_end|>\n");
}

TEST(ChatEncoder, LearnsAFirstTurnOfTheAssistant) {
  const DocumentEncoder encoder = make_chat_encoder(
      smollm(), "key", ChatTemplate("{% for m in messages %}{{ m.content }}{% endfor %}", {}, "t"));
  EXPECT_EQ(learnt_text(encoder, conversation(R"([{"role": "assistant", "content": "hello"}])")),
            "hello");
}

TEST(ChatEncoder, RefusesATemplateThatLooksAhead) {
  const DocumentEncoder encoder = make_chat_encoder(
      smollm(),
      "key",
      ChatTemplate("{{ messages|length }}{% for m in messages %}{{ m.content }}{% endfor %}",
                   Json::object(),
                   "t"));
  EXPECT_EQ(message_of([&] {
              encoder.encode(conversation(
                  R"([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}])"));
            }),
            "the chat template: turn 1: found a prompt that the whole conversation does not begin "
            "with, expected a template that writes each turn whatever comes after");
}

TEST(ChatEncoder, HasAKeyOfTheTemplate) {
  const auto key = [](const char* text) {
    return make_chat_encoder(smollm(), "key", ChatTemplate(text, Json::object(), "t")).key;
  };
  EXPECT_NE(key("a"), key("b"));
}

}  // namespace
}  // namespace slayer
