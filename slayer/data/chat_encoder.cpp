#include "slayer/data/chat_encoder.h"

#include <algorithm>
#include <fmt/format.h>

#include "slayer/core/error.h"
#include "slayer/core/sha256.h"

namespace slayer {
namespace {

Json first_turns(const Json& conversation, size_t count) {
  Json turns = Json::array();
  std::copy_n(conversation.begin(), count, std::back_inserter(turns));
  return turns;
}

/// Encodes conversations with one template.
class ChatEncoder final {
 public:
  ChatEncoder(Tokenizer tokenizer, ChatTemplate chat_template)
      : tokenizer_(std::move(tokenizer)), template_(std::move(chat_template)) {}

  EncodedDocument operator()(const Document& document) const {
    const Json& conversation = document.conversation;
    const std::string text = template_.render(conversation, /*add_generation_prompt=*/false);
    EncodedDocument encoded{.tokens = encode(text)};
    for (size_t turn = 0; turn < conversation.size(); ++turn) {
      if (conversation[turn]["role"] == "assistant") {
        const int64_t begin = common_tokens(prompt_for(conversation, turn, text), encoded.tokens);
        const int64_t end = common_tokens(text_after(conversation, turn, text), encoded.tokens);
        if (end > begin) {
          encoded.learnt.push_back({.begin = begin, .end = end});
        }
      }
    }
    return encoded;
  }

 private:
  std::vector<TokenId> encode(const std::string& text) const {
    return tokenizer_.encode(text, /*add_special_tokens=*/false);
  }

  /// How many tokens the encoded `text` and `whole` begin with together.
  int64_t common_tokens(const std::string& text, const std::vector<TokenId>& whole) const {
    const std::vector<TokenId> part = encode(text);
    return std::ranges::mismatch(part, whole).in2 - whole.begin();
  }

  std::string prompt_for(const Json& conversation, size_t turn, const std::string& text) const {
    const std::string prompt =
        turn == 0 ? "" : template_.render(first_turns(conversation, turn), true);
    if (!text.starts_with(prompt)) {
      throw Error({.file = "the chat template",
                   .item = fmt::format("turn {}", turn),
                   .found = "a prompt that the whole conversation does not begin with",
                   .expected = "a template that writes each turn whatever comes after"});
    }
    return prompt;
  }

  /// The conversation up to the turn's end, as far as the whole begins with it: some templates
  /// write the last turn in another way.
  std::string text_after(const Json& conversation, size_t turn, const std::string& text) const {
    if (turn + 1 == conversation.size()) {
      return text;
    }
    std::string part = template_.render(first_turns(conversation, turn + 1), false);
    part.resize(static_cast<size_t>(std::ranges::mismatch(part, text).in1 - part.begin()));
    return part;
  }

  Tokenizer tokenizer_;
  ChatTemplate template_;
};

}  // namespace

DocumentEncoder make_chat_encoder(const Tokenizer& tokenizer,
                                  const std::string& tokenizer_key,
                                  const ChatTemplate& chat_template) {
  return {.encode = ChatEncoder(tokenizer, chat_template),
          .key = fmt::format("{} chat {}", tokenizer_key, sha256(chat_template.text())),
          .description =
              "conversations as the chat template writes them, the assistant's turns "
              "learnt",
          .learns_all = false};
}

}  // namespace slayer
