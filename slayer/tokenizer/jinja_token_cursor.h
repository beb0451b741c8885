#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <string>
#include <string_view>
#include <vector>

#include "slayer/core/error.h"
#include "slayer/tokenizer/jinja_lexer.h"

namespace slayer::jinja {

/// A template's tokens and the next one to take; what parsers stand on.
class TokenCursor {
 public:
  TokenCursor(std::vector<Token> tokens, const std::string& name)
      : tokens_(std::move(tokens)), name_(name) {}

 protected:
  static constexpr int kDeepest = 100;

  const Token& peek(size_t ahead = 0) const {
    return tokens_[std::min(next_ + ahead, tokens_.size() - 1)];
  }
  Token take() { return tokens_[std::min(next_++, tokens_.size() - 1)]; }

  [[noreturn]] void fail_here(std::string expected) const {
    const Token& token = peek();
    throw Error({.file = name_,
                 .item = fmt::format("line {}", token.line),
                 .found = token.kind == TokenKind::kEnd ? "the end of the template"
                                                        : "\"" + printable(token.text) + "\"",
                 .expected = std::move(expected)});
  }

  bool is_operator(std::string_view text, size_t ahead = 0) const {
    return peek(ahead).kind == TokenKind::kOperator && peek(ahead).text == text;
  }
  bool is_name(std::string_view text, size_t ahead = 0) const {
    return peek(ahead).kind == TokenKind::kName && peek(ahead).text == text;
  }
  bool accept(std::string_view text) {
    const bool is_there = is_operator(text) || is_name(text);
    next_ += is_there ? 1 : 0;
    return is_there;
  }
  void expect(std::string_view text) {
    if (!accept(text)) {
      fail_here(std::string(text));
    }
  }
  std::string expect_name() {
    if (peek().kind != TokenKind::kName) {
      fail_here("a name");
    }
    return take().text;
  }
  void expect_tag_end() {
    if (peek().kind != TokenKind::kTagEnd) {
      fail_here("the tag's end");
    }
    take();
  }
  void step_back() { --next_; }

  /// Counts how deep the parser stands; a hostile template must not fill the stack.
  class Nesting final {
   public:
    explicit Nesting(TokenCursor& cursor) : cursor_(cursor) {
      if (++cursor_.depth_ > kDeepest) {
        cursor_.fail_here("less nesting");
      }
    }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;
    ~Nesting() { --cursor_.depth_; }

   private:
    TokenCursor& cursor_;
  };

 private:
  std::vector<Token> tokens_;
  const std::string& name_;
  size_t next_ = 0;
  int depth_ = 0;
};

}  // namespace slayer::jinja
