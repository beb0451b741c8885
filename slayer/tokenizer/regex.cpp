#include "slayer/tokenizer/regex.h"

#include <array>
#include <bit>
#include <fmt/format.h>
#include <pcre2.h>
#include <vector>

#include "slayer/core/error.h"
#include "slayer/core/utf8.h"

namespace slayer {
namespace {

struct FreeCode {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
};

/// Oniguruma's classes in PCRE2's terms: `\s` is Unicode's White_Space there, and `\w` has marks.
/// What the two libraries understand differently and no tokenizer known uses is refused.
std::string translate(std::string_view pattern, const std::string& file, const std::string& item) {
  std::string translated;
  int class_depth = 0;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '[') {
      ++class_depth;
    } else if (pattern[i] == ']' && class_depth > 0) {
      --class_depth;
    } else if (class_depth > 0 && pattern.substr(i, 2) == "&&") {
      throw Error({.file = file,
                   .item = item,
                   .found = "&& in a character class of " + printable(pattern),
                   .expected = "a pattern without it"});
    }
    if (pattern[i] != '\\' || i + 1 == pattern.size()) {
      translated.push_back(pattern[i]);
      continue;
    }
    const char escaped = pattern[++i];
    switch (escaped) {
      case 's':
        translated += "\\p{White_Space}";
        break;
      case 'S':
        translated += "\\P{White_Space}";
        break;
      case 'w':
      case 'W':
      case 'b':
      case 'B':
      case 'h':
      case 'H':
      case 'X':
      case 'R':
      case 'K':
      case 'G':
        throw Error({.file = file,
                     .item = item,
                     .found = fmt::format("\\{} in {}", escaped, printable(pattern)),
                     .expected = "a pattern without it"});
      default:
        translated.push_back('\\');
        translated.push_back(escaped);
    }
  }
  return translated;
}

}  // namespace

struct Regex::Compiled {
  std::unique_ptr<pcre2_code, FreeCode> code;
  std::string pattern;
  std::string file;
  std::string item;
};

Regex::Regex(std::string_view pattern, const std::string& file, const std::string& item) {
  const std::string translated = translate(pattern, file, item);
  int code = 0;
  size_t offset = 0;
  auto compiled = std::make_shared<Compiled>();
  compiled->code.reset(
      pcre2_compile(std::bit_cast<PCRE2_SPTR>(translated.data()),
                    translated.size(),
                    PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C,
                    &code,
                    &offset,
                    nullptr));
  if (compiled->code == nullptr) {
    std::array<unsigned char, 200> message{};
    pcre2_get_error_message(code, message.data(), message.size());
    throw Error({.file = file,
                 .item = item,
                 .found = printable(pattern),
                 .expected = "a regular expression",
                 .hint = std::bit_cast<const char*>(message.data())});
  }
  pcre2_jit_compile(compiled->code.get(), PCRE2_JIT_COMPLETE);  // Without a JIT, slower, not wrong.
  compiled->pattern = pattern;
  compiled->file = file;
  compiled->item = item;
  compiled_ = std::move(compiled);
}

Regex Regex::literal(std::string_view text, const std::string& file, const std::string& item) {
  std::string pattern;
  for (const char c : text) {
    if (std::string_view(R"(\^$.|?*+()[]{}-#)").find(c) != std::string_view::npos) {
      pattern.push_back('\\');
    }
    pattern.push_back(c);
  }
  return {pattern, file, item};
}

void Regex::Matches::Free::operator()(void* match_data) const {
  pcre2_match_data_free(static_cast<pcre2_match_data*>(match_data));
}

Regex::Matches::Matches(const Regex& regex, std::string_view text)
    : regex_(regex),
      text_(text),
      match_data_(pcre2_match_data_create_from_pattern(regex.compiled_->code.get(), nullptr)) {}

std::optional<TextSpan> Regex::Matches::next() {
  auto* match_data = static_cast<pcre2_match_data*>(match_data_.get());
  while (position_ <= text_.size()) {
    const auto match_with = [&](uint32_t options) {
      return pcre2_match(regex_.compiled_->code.get(),
                         std::bit_cast<PCRE2_SPTR>(text_.data()),
                         text_.size(),
                         position_,
                         options,
                         match_data,
                         nullptr);
    };
    int result = match_with(PCRE2_NO_UTF_CHECK);
    if (result == PCRE2_ERROR_JIT_STACKLIMIT) {
      result = match_with(PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT);  // Slower, on the heap.
    }
    if (result == PCRE2_ERROR_NOMATCH) {
      position_ = text_.size() + 1;
      return std::nullopt;
    }
    if (result < 0) {
      std::array<unsigned char, 200> message{};
      pcre2_get_error_message(result, message.data(), message.size());
      throw Error(
          {.file = regex_.compiled_->file,
           .item = regex_.compiled_->item,
           .found = "a pattern that fails on a text: " + printable(regex_.compiled_->pattern),
           .expected = "one that can be matched",
           .hint = std::bit_cast<const char*>(message.data())});
    }
    const size_t* span = pcre2_get_ovector_pointer(match_data);
    const TextSpan match{span[0], span[1]};
    const bool is_empty = match.begin == match.end;
    if (is_empty && last_end_ == match.end) {
      position_ =
          match.end < text_.size() ? match.end + char_at(text_, match.end).size : match.end + 1;
      continue;
    }
    position_ = match.end;
    last_end_ = match.end;
    return match;
  }
  return std::nullopt;
}

}  // namespace slayer
