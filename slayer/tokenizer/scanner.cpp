#include "slayer/tokenizer/scanner.h"

#include <algorithm>
#include <array>
#include <utility>

#include "slayer/core/utf8.h"
#include "slayer/tokenizer/unicode.h"

namespace slayer {
namespace {

constexpr std::array<std::pair<KnownPattern, std::string_view>, 4> kRegexes = {{
    {KnownPattern::kGpt2,
     R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)"},
    {KnownPattern::kLlama3,
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
    {KnownPattern::kQwen2,
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
    {KnownPattern::kTekken,
     R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
}};

using enum CharClasses::Class;

constexpr unsigned kLetters = kUpper | kLower | kCaseless;
constexpr unsigned kSymbols = kOther | kMark;

/// A place in a text and the class of the character there. At the end: no class.
class Cursor final {
 public:
  Cursor(std::string_view text, size_t position)
      : text_(text), classes_(char_classes()), position_(position) {
    look();
  }

  size_t position() const { return position_; }
  bool at_end() const { return position_ == text_.size(); }
  bool is(unsigned classes) const { return !at_end() && (class_ & classes) != 0; }
  bool is_char(char c) const { return !at_end() && text_[position_] == c; }
  bool is_line_end() const { return is_char('\n') || is_char('\r'); }

  void next() {
    position_ += size_;
    look();
  }
  void skip(unsigned classes) {
    while (is(classes)) {
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
  CharClasses::Class class_ = kOther;
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
  while (cursor.is(kSpace)) {
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

/// ` ?[^\s\p{L}\p{N}]+` and then any of `tail`; `begin` where it does not match.
size_t scan_symbols(std::string_view text, size_t begin, std::string_view tail) {
  Cursor cursor(text, begin);
  if (cursor.is_char(' ')) {
    cursor.next();
  }
  if (!cursor.is(kSymbols)) {
    return begin;
  }
  cursor.skip(kSymbols);
  return std::min(text.find_first_not_of(tail, cursor.position()), text.size());
}

size_t scan_gpt2(std::string_view text, size_t begin) {
  if (const size_t size = contraction_size(text, begin, /*ignores_case=*/false)) {
    return begin + size;
  }
  Cursor cursor(text, begin);
  if (cursor.is_char(' ')) {
    cursor.next();
  }
  for (const unsigned run : {kLetters, unsigned{kNumber}, kSymbols}) {
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
  if (cursor.is(kNumber)) {
    for (int i = 0; i < digits && cursor.is(kNumber); ++i) {
      cursor.next();
    }
    return cursor.position();
  }
  if (!cursor.is(kLetters) && !cursor.is_line_end()) {
    cursor.next();
  }
  if (cursor.is(kLetters)) {
    cursor.skip(kLetters);
    return cursor.position();
  }
  if (const size_t end = scan_symbols(text, begin, "\r\n"); end > begin) {
    return end;
  }
  return scan_spaces(text, begin, /*line_ends_first=*/true);
}

/// The two alternatives for words: upper-case letters, then lower-case ones, at least one in all.
/// Letters without case and marks count as either. `begin` where neither matches.
size_t scan_cased_word(std::string_view text, size_t begin) {
  Cursor cursor(text, begin);
  const bool begins_with_mark = cursor.is(kMark);
  if (!cursor.is(kLetters | kNumber) && !cursor.is_line_end()) {
    cursor.next();
  }
  const size_t word = cursor.position();
  size_t after_either = begin;  // The end of the last character that could count as lower-case.
  while (cursor.is(kUpper | kCaseless | kMark)) {
    const bool is_either = !cursor.is(kUpper);
    cursor.next();
    after_either = is_either ? cursor.position() : after_either;
  }
  if (cursor.is(kLower)) {
    cursor.skip(kLower | kCaseless | kMark);
    return cursor.position();
  }
  if (after_either > begin) {
    return after_either;
  }
  if (begins_with_mark) {
    return word;
  }
  return cursor.position() > word ? cursor.position() : begin;
}

size_t scan_tekken(std::string_view text, size_t begin) {
  if (const size_t end = scan_cased_word(text, begin); end > begin) {
    return end;
  }
  Cursor cursor(text, begin);
  if (cursor.is(kNumber)) {
    cursor.next();
    return cursor.position();
  }
  if (const size_t end = scan_symbols(text, begin, "\r\n/"); end > begin) {
    return end;
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
    case KnownPattern::kTekken:
      return scan_tekken(text, begin);
    case KnownPattern::kQwen2:
      break;
  }
  return scan_llama3(text, begin, /*digits=*/1);
}

}  // namespace slayer
