#include <algorithm>

#include "slayer/core/utf8.h"
#include "slayer/tokenizer/tokenizer.h"
#include "slayer/tokenizer/tokenizer_state.h"

namespace slayer {

StreamDecoder::StreamDecoder(Tokenizer tokenizer, bool skip_special_tokens)
    : tokenizer_(std::move(tokenizer)), skip_special_tokens_(skip_special_tokens) {}

std::string StreamDecoder::push(TokenId id) {
  const auto& state = *tokenizer_.state_;
  if (state.parts.vocabulary->token_of(id) == nullptr ||
      (skip_special_tokens_ && tokenizer_.is_special(id))) {
    return {};
  }
  if (state.parts.decoder.is_byte_level()) {
    bytes_ += state.decoded[static_cast<size_t>(id)];
    const size_t kept = incomplete_utf8_suffix(bytes_);
    std::string shown =
        replace_invalid_utf8(std::string_view(bytes_).substr(0, bytes_.size() - kept));
    bytes_.erase(0, bytes_.size() - kept);
    return shown;
  }
  window_.push_back(id);
  // The bytes of a character come as tokens of their own, and a run of them is decoded as a whole.
  const bool is_byte = is_fallback_byte(state.decoded[static_cast<size_t>(id)]);
  return is_byte ? std::string() : show_pending();
}

std::string StreamDecoder::finish() {
  std::string rest = show_pending() + replace_invalid_utf8(bytes_);
  bytes_.clear();
  window_.clear();
  shown_ = 0;
  return rest;
}

/// What the window's tokens add to those shown. Tokens are kept until what follows them makes text
/// of its own, since the first of a text may be decoded otherwise than the same one later.
std::string StreamDecoder::show_pending() {
  const auto shown_end = window_.begin() + static_cast<std::ptrdiff_t>(shown_);
  const std::string before = tokenizer_.decode({window_.begin(), shown_end}, skip_special_tokens_);
  const std::string all = tokenizer_.decode(window_, skip_special_tokens_);
  std::string added = all.substr(std::min(before.size(), all.size()));
  if (!added.empty()) {
    window_.erase(window_.begin(), shown_end);
  }
  shown_ = window_.size();
  return added;
}

}  // namespace slayer
