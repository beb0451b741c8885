#include "slayer/tokenizer/jinja_lexer.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "slayer/core/error.h"

namespace slayer::jinja {
namespace {

constexpr std::string_view kBlanks = " \t";
constexpr std::string_view kSpace = " \t\n\r\v\f";
constexpr std::array<std::string_view, 6> kTwoCharacters{"==", "!=", "<=", ">=", "//", "**"};
constexpr std::string_view kOneCharacter = "+-*/%~<>=.,:|()[]{}";

bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

class Lexer final {
 public:
  Lexer(std::string_view source, const std::string& name) : source_(source), name_(name) {
    if (source_.ends_with('\n')) {
      source_.remove_suffix(source_.ends_with("\r\n") ? 2 : 1);
    }
  }

  std::vector<Token> run() {
    while (position_ < source_.size()) {
      take_text();
      if (position_ < source_.size()) {
        take_tag();
      }
    }
    push(TokenKind::kEnd, "");
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void fail(std::string found, std::string expected) const {
    throw Error({.file = name_,
                 .item = fmt::format("line {}", line()),
                 .found = std::move(found),
                 .expected = std::move(expected)});
  }

  int64_t line() const {
    return 1 + std::ranges::count(source_.substr(0, std::min(position_, source_.size())), '\n');
  }
  std::string_view rest() const { return source_.substr(position_); }
  void push(TokenKind kind, std::string text) {
    tokens_.push_back({kind, std::move(text), line()});
  }

  /// Where the next tag begins.
  size_t find_tag() const {
    for (size_t at = source_.find('{', position_); at != std::string_view::npos;
         at = source_.find('{', at + 1)) {
      const char next = at + 1 < source_.size() ? source_[at + 1] : '\0';
      if (next == '{' || next == '%' || next == '#') {
        return at;
      }
    }
    return source_.size();
  }

  void take_text() {
    const size_t end = find_tag();
    std::string_view text = source_.substr(position_, end - position_);
    if (end < source_.size()) {
      text = text_before_tag(
          text, source_[end + 1], end + 2 < source_.size() ? source_[end + 2] : '\0');
    }
    if (!text.empty()) {
      push(TokenKind::kText, std::string(text));
    }
    position_ = end;
  }

  /// Text without what the tag behind it takes away.
  std::string_view text_before_tag(std::string_view text, char kind, char modifier) const {
    if (modifier == '-') {
      const size_t last = text.find_last_not_of(kSpace);
      return text.substr(0, last == std::string_view::npos ? 0 : last + 1);
    }
    if (kind == '{' || modifier == '+') {
      return text;
    }
    const size_t line_break = text.rfind('\n');
    const bool is_line_start =
        line_break != std::string_view::npos || position_ == 0 || begins_line_;
    const size_t begin = line_break == std::string_view::npos ? 0 : line_break + 1;
    const bool is_blank = text.find_first_not_of(kBlanks, begin) == std::string_view::npos;
    return is_line_start && is_blank ? text.substr(0, begin) : text;
  }

  void take_tag() {
    const char kind = source_[position_ + 1];
    if (kind == '#') {
      take_comment();
      return;
    }
    if (kind == '%' && take_raw()) {
      return;
    }
    push(kind == '{' ? TokenKind::kOutputBegin : TokenKind::kBlockBegin, "");
    position_ += 2;
    if (position_ < source_.size() && (source_[position_] == '-' || source_[position_] == '+')) {
      ++position_;
    }
    const std::string_view end = kind == '{' ? "}}" : "%}";
    int64_t depth = 0;  // Braces of a literal, so that its end is not the tag's.
    while (true) {
      position_ = std::min(source_.find_first_not_of(kSpace, position_), source_.size());
      if (rest().empty()) {
        fail("the template's end inside a tag", std::string(end));
      }
      const size_t sign = rest().front() == '-' || rest().front() == '+' ? 1 : 0;
      if (depth == 0 && rest().substr(sign).starts_with(end)) {
        end_tag(sign == 1 ? rest().front() : '\0', sign + end.size(), kind == '%');
        push(TokenKind::kTagEnd, std::string(end));
        return;
      }
      depth += rest().front() == '{' ? 1 : rest().front() == '}' ? -1 : 0;
      take_token();
    }
  }

  /// Moves behind a tag's end and what it takes away.
  void end_tag(char modifier, size_t length, bool is_block) {
    position_ += length;
    begins_line_ = false;
    if (modifier == '-') {
      position_ = std::min(source_.find_first_not_of(kSpace, position_), source_.size());
    } else if (is_block && modifier != '+' && rest().starts_with('\n')) {
      ++position_;
      begins_line_ = true;
    }
  }

  void take_comment() {
    const size_t end = source_.find("#}", position_ + 2);
    if (end == std::string_view::npos) {
      fail("a comment that is not closed", "#}");
    }
    const char modifier =
        source_[end - 1] == '-' || source_[end - 1] == '+' ? source_[end - 1] : '\0';
    position_ = end;
    end_tag(modifier, 2, /*is_block=*/true);
  }

  /// {% raw %} ... {% endraw %}: what stands between is text.
  bool take_raw() {
    const auto tag = [this](size_t at, std::string_view word) -> size_t {
      size_t position = at + 2;
      position += position < source_.size() && source_[position] == '-' ? 1 : 0;
      position = source_.find_first_not_of(kSpace, position);
      if (position == std::string_view::npos || !source_.substr(position).starts_with(word)) {
        return 0;
      }
      position = source_.find_first_not_of(kSpace, position + word.size());
      if (position == std::string_view::npos) {
        return 0;
      }
      position += source_[position] == '-' ? 1 : 0;
      return source_.substr(position).starts_with("%}") ? position + 2 : 0;
    };
    const size_t begin = tag(position_, "raw");
    if (begin == 0) {
      return false;
    }
    for (size_t at = source_.find("{%", begin); at != std::string_view::npos;
         at = source_.find("{%", at + 1)) {
      if (const size_t end = tag(at, "endraw"); end != 0) {
        push(TokenKind::kText, std::string(source_.substr(begin, at - begin)));
        position_ = end - 2;
        end_tag(source_[end - 3] == '-' ? '-' : '\0', 2, /*is_block=*/true);
        return true;
      }
    }
    fail("raw text that is not closed", "{% endraw %}");
  }

  void take_token() {
    const char first = rest().front();
    if (is_name_start(first)) {
      const auto end =
          std::ranges::find_if_not(rest(), [](char c) { return is_name_start(c) || is_digit(c); });
      take(TokenKind::kName, static_cast<size_t>(end - rest().begin()));
    } else if (is_digit(first)) {
      take_number();
    } else if (first == '"' || first == '\'') {
      take_string(first);
    } else if (std::ranges::find(kTwoCharacters, rest().substr(0, 2)) != kTwoCharacters.end()) {
      take(TokenKind::kOperator, 2);
    } else if (kOneCharacter.find(first) != std::string_view::npos) {
      take(TokenKind::kOperator, 1);
    } else {
      fail(printable(rest().substr(0, 1)), "a part of an expression");
    }
  }

  void take(TokenKind kind, size_t length) {
    push(kind, std::string(rest().substr(0, length)));
    position_ += length;
  }

  void take_number() {
    size_t length = std::min(rest().find_first_not_of("0123456789"), rest().size());
    const bool is_float =
        length + 1 < rest().size() && rest()[length] == '.' && is_digit(rest()[length + 1]);
    if (is_float) {
      length = std::min(rest().find_first_not_of("0123456789", length + 1), rest().size());
    }
    take(is_float ? TokenKind::kFloat : TokenKind::kInteger, length);
  }

  void take_string(char quote) {
    std::string value;
    size_t at = position_ + 1;
    for (; at < source_.size() && source_[at] != quote; ++at) {
      if (source_[at] != '\\' || at + 1 == source_.size()) {
        value += source_[at];
        continue;
      }
      const char escaped = source_[++at];
      switch (escaped) {
        case 'n':
          value += '\n';
          break;
        case 't':
          value += '\t';
          break;
        case 'r':
          value += '\r';
          break;
        case '\\':
        case '\'':
        case '"':
          value += escaped;
          break;
        default:
          value += '\\';
          value += escaped;
      }
    }
    if (at == source_.size()) {
      fail("a string that is not closed", std::string(1, quote));
    }
    push(TokenKind::kString, std::move(value));
    position_ = at + 1;
  }

  std::string_view source_;
  const std::string& name_;
  size_t position_ = 0;
  bool begins_line_ = false;  ///< The tag before took the line break behind it.
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source, const std::string& name) {
  return Lexer(source, name).run();
}

}  // namespace slayer::jinja
