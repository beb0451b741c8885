#include "slayer/tokenizer/scanner.h"

#include <array>
#include <utility>

#include "slayer/tokenizer/unicode.h"
#include "slayer/tokenizer/utf8.h"

namespace slayer {
namespace {

constexpr std::array<std::pair<KnownPattern, std::string_view>, 3> kRegexes = {{
    {KnownPattern::kGpt2,
     R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)"},
    {KnownPattern::kLlama3,
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
    {KnownPattern::kQwen2,
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
}};

/// A place in a text and the class of the character there. At the end: no class.
class Cursor final {
 public:
  Cursor(std::string_view text, size_t position)
      : text_(text), classes_(char_classes()), position_(position) {
    look();
  }

  size_t position() const { return position_; }
  bool at_end() const { return position_ == text_.size(); }
  bool is(CharClass char_class) const { return !at_end() && class_ == char_class; }
  bool is_char(char c) const { return !at_end() && text_[position_] == c; }
  bool is_line_end() const { return is_char('\n') || is_char('\r'); }

  void next() {
    position_ += size_;
    look();
  }
  void skip(CharClass char_class) {
    while (is(char_class)) {
      next();
    }
  }
  void skip_line_ends() {
    while (is_line_end()) {
      next();
    }
  }

 private:
  void look() {
    if (!at_end()) {
      const DecodedChar decoded = char_at(text_, position_);
      size_ = decoded.size;
      class_ = classes_(decoded.code_point);
    }
  }

  std::string_view text_;
  const CharClasses& classes_;
  size_t position_;
  size_t size_ = 0;
  CharClass class_ = CharClass::kOther;
};

/// The length of 's, 't, 're, 've, 'm, 'll or 'd at `begin`, 0 for none.
size_t contraction_size(std::string_view text, size_t begin, bool ignores_case) {
  if (text[begin] != '\'') {
    return 0;
  }
  const auto letter = [&](size_t offset) {
    const char c = begin + offset < text.size() ? text[begin + offset] : '\0';
    return ignores_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  switch (letter(1)) {
    case 's':
    case 't':
    case 'm':
    case 'd':
      return 2;
    case 'r':
    case 'v':
      return letter(2) == 'e' ? 3 : 0;
    case 'l':
      return letter(2) == 'l' ? 3 : 0;
    default:
      break;
  }
  // U+017F, the long s, is an s to a pattern that ignores case.
  return ignores_case && text.substr(begin + 1, 2) == "\xC5\xBF" ? 3 : 0;
}

/// `\s+(?!\S)|\s+`, preceded by `\s*[\r\n]+` if `line_ends_first`: a run of white space; its last
/// character is left to the word that follows, unless the run is that one character.
size_t scan_spaces(std::string_view text, size_t begin, bool line_ends_first) {
  Cursor cursor(text, begin);
  size_t last = begin;
  size_t after_line_end = begin;
  while (cursor.is(CharClass::kSpace)) {
    const bool is_line_end = cursor.is_line_end();
    last = cursor.position();
    cursor.next();
    if (is_line_end) {
      after_line_end = cursor.position();
    }
  }
  if (line_ends_first && after_line_end > begin) {
    return after_line_end;
  }
  return cursor.at_end() || last == begin ? cursor.position() : last;
}

size_t scan_gpt2(std::string_view text, size_t begin) {
  if (const size_t size = contraction_size(text, begin, /*ignores_case=*/false)) {
    return begin + size;
  }
  Cursor cursor(text, begin);
  if (cursor.is_char(' ')) {
    cursor.next();
  }
  for (const CharClass run : {CharClass::kLetter, CharClass::kNumber, CharClass::kOther}) {
    if (cursor.is(run)) {
      cursor.skip(run);
      return cursor.position();
    }
  }
  return scan_spaces(text, begin, /*line_ends_first=*/false);
}

size_t scan_llama3(std::string_view text, size_t begin, int digits) {
  if (const size_t size = contraction_size(text, begin, /*ignores_case=*/true)) {
    return begin + size;
  }
  Cursor cursor(text, begin);
  if (cursor.is(CharClass::kNumber)) {
    for (int i = 0; i < digits && cursor.is(CharClass::kNumber); ++i) {
      cursor.next();
    }
    return cursor.position();
  }
  if (!cursor.is(CharClass::kLetter) && !cursor.is_line_end()) {
    cursor.next();
  }
  if (cursor.is(CharClass::kLetter)) {
    cursor.skip(CharClass::kLetter);
    return cursor.position();
  }
  Cursor symbols(text, begin);
  if (symbols.is_char(' ')) {
    symbols.next();
  }
  if (symbols.is(CharClass::kOther)) {
    symbols.skip(CharClass::kOther);
    symbols.skip_line_ends();
    return symbols.position();
  }
  return scan_spaces(text, begin, /*line_ends_first=*/true);
}

}  // namespace

std::string_view regex_of(KnownPattern pattern) {
  return kRegexes[static_cast<size_t>(pattern)].second;
}

std::optional<KnownPattern> known_pattern(std::string_view regex) {
  for (const auto& [pattern, known] : kRegexes) {
    if (regex == known) {
      return pattern;
    }
  }
  return std::nullopt;
}

size_t scan_piece(KnownPattern pattern, std::string_view text, size_t begin) {
  switch (pattern) {
    case KnownPattern::kGpt2:
      return scan_gpt2(text, begin);
    case KnownPattern::kLlama3:
      return scan_llama3(text, begin, /*digits=*/3);
    case KnownPattern::kQwen2:
      break;
  }
  return scan_llama3(text, begin, /*digits=*/1);
}

}  // namespace slayer
