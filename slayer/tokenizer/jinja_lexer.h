#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace slayer::jinja {

enum class TokenKind : uint8_t {
  kText,         ///< Between tags; given out as it is.
  kOutputBegin,  ///< {{
  kBlockBegin,   ///< {%
  kTagEnd,       ///< }} or %}
  kName,
  kString,  ///< Its value, escapes resolved.
  kInteger,
  kFloat,
  kOperator,  ///< Or punctuation.
  kEnd
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string text = {};
  int64_t line = 0;
};

/// Cuts a template into tokens, with trim_blocks and lstrip_blocks on as transformers sets them:
/// the line break behind a block or comment, and blanks before one that begins a line, are left
/// out; so is the template's last line break. {% raw %} is text.
/// @param name  of the template, for errors.
/// @throws Error for what is no token, and for a tag that is not closed.
/// Source: Jinja 3.1, lexer.py.
std::vector<Token> tokenize(std::string_view source, const std::string& name);

}  // namespace slayer::jinja
