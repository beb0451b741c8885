#include "slayer/eval/request_encoding.h"

#include <algorithm>
#include <fmt/format.h>

#include "slayer/core/error.h"
#include "slayer/eval/text_rule.h"

namespace slayer {

RequestEncoder::RequestEncoder(const Tokenizer& tokenizer, int64_t max_length)
    : tokenizer_(tokenizer), max_length_(max_length) {
  if (const auto bos = tokenizer.bos_id()) {
    bos_text_ = tokenizer.token_of(*bos);
  }
}

std::vector<TokenId> RequestEncoder::encode(const std::string& text) const {
  const bool has_bos = !bos_text_.empty() && text.starts_with(bos_text_);
  return tokenizer_.encode(text, /*add_special_tokens=*/!has_bos);
}

TokenId RequestEncoder::prefix_token() const {
  const auto prefix = tokenizer_.bos_id() ? tokenizer_.bos_id() : tokenizer_.eos_id();
  if (!prefix) {
    throw Error({.item = "tokenizer",
                 .found = "neither BOS nor EOS",
                 .expected = "one of them, to score a text's first token"});
  }
  return *prefix;
}

EncodedGroup RequestEncoder::pairs(const std::vector<TextRequest>& requests) const {
  EncodedGroup group;
  std::string context;
  std::vector<TokenId> context_tokens;
  for (const TextRequest& request : requests) {
    // White space at the context's end belongs to the continuation's tokens.
    const std::string_view kept = strip_end(request.context);
    if (group.sequences.empty() || context != kept) {
      context = kept;
      context_tokens = context.empty() ? std::vector<TokenId>() : encode(context);
    }
    ScoredSequence sequence =
        pair(context, context_tokens, request.context.substr(kept.size()) + request.continuation);
    // The last token is scored only, so the model reads one token less than there are.
    const int64_t length = std::ssize(sequence.tokens);
    if (const int64_t excess = length - (max_length_ + 1); excess > 0) {
      group.cut_from = std::max(group.cut_from, length - 1);
      sequence.tokens.erase(sequence.tokens.begin(), sequence.tokens.begin() + excess);
      sequence.first_scored -= excess;
    }
    group.sequences.push_back(std::move(sequence));
  }
  return group;
}

ScoredSequence RequestEncoder::pair(const std::string& context,
                                    const std::vector<TokenId>& context_tokens,
                                    const std::string& continuation) const {
  std::vector<TokenId> tokens = context_tokens;
  std::vector<TokenId> scored;
  if (context.empty()) {
    scored = tokenizer_.encode(continuation, /*add_special_tokens=*/false);
    if (scored.empty() || scored.front() != prefix_token()) {
      tokens.push_back(prefix_token());
    } else {
      tokens.push_back(scored.front());
      scored.erase(scored.begin());
    }
  } else {
    const std::vector<TokenId> whole = encode(context + continuation);
    const auto cut = std::min(std::ssize(tokens), std::ssize(whole));
    scored.assign(whole.begin() + cut, whole.end());
  }
  if (scored.empty() || std::ssize(scored) > max_length_) {
    throw Error({.item = "continuation",
                 .found = fmt::format("{} tokens", scored.size()),
                 .expected = fmt::format("from 1 to the model's {}", max_length_)});
  }
  const int64_t first_scored = std::ssize(tokens);
  tokens.insert(tokens.end(), scored.begin(), scored.end());
  return {.tokens = std::move(tokens), .first_scored = first_scored};
}

SequenceGroup RequestEncoder::rolling(const std::string& text) const {
  std::vector<TokenId> tokens = encode(text);
  const int64_t count = std::ssize(tokens);
  tokens.insert(tokens.begin(), prefix_token());
  SequenceGroup windows;
  for (int64_t begin = 0; begin < count; begin += max_length_) {
    const int64_t end = std::min(begin + max_length_, count);
    // tokens[i + 1] is the text's token i. All windows but the first take in max_length_ tokens,
    // so a last, short one sees more of what came before.
    const int64_t window_begin = begin == 0 ? 0 : end - max_length_;
    windows.push_back({.tokens = {tokens.begin() + window_begin, tokens.begin() + end + 1},
                       .first_scored = begin + 1 - window_begin});
  }
  return windows;
}

EncodedPrompt RequestEncoder::prompt(const std::string& text, int64_t max_new_tokens) const {
  const int64_t room = max_length_ - max_new_tokens;
  EncodedPrompt prompt{.tokens = encode(text), .cut_from = 0};
  const int64_t length = std::ssize(prompt.tokens);
  if (length == 0 || room < 1) {
    throw Error({.item = "prompt",
                 .found = fmt::format("{} tokens, {} to generate", length, max_new_tokens),
                 .expected = fmt::format("room for both in the model's {}", max_length_)});
  }
  if (length > room) {
    prompt.cut_from = length;
    prompt.tokens.erase(prompt.tokens.begin(), prompt.tokens.begin() + (length - room));
  }
  return prompt;
}

}  // namespace slayer
