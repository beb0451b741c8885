#include "slayer/eval/text_rule.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <pcre2.h>

#include "slayer/core/error.h"

namespace slayer {
namespace {

std::string reason_of(int code) {
  std::array<PCRE2_UCHAR, 256> buffer{};
  pcre2_get_error_message(code, buffer.data(), buffer.size());
  return std::string(buffer.begin(), std::ranges::find(buffer, PCRE2_UCHAR{0}));
}

constexpr uint32_t kReplaceAll =
    PCRE2_SUBSTITUTE_GLOBAL | PCRE2_SUBSTITUTE_EXTENDED | PCRE2_SUBSTITUTE_OVERFLOW_LENGTH;

PCRE2_SPTR units(std::string_view text) { return reinterpret_cast<PCRE2_SPTR>(text.data()); }

[[noreturn]] void fail_at_run_time(int code) {
  throw Error({.item = "regular expression", .found = reason_of(code), .expected = "a match"});
}

/// What Python's str.isspace() accepts, in UTF-8.
constexpr std::array<std::string_view, 29> kWhitespace{
    "\t",           "\n",           "\v",           "\f",           "\r",
    "\x1c",         "\x1d",         "\x1e",         "\x1f",         " ",
    "\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81",
    "\xe2\x80\x82", "\xe2\x80\x83", "\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86",
    "\xe2\x80\x87", "\xe2\x80\x88", "\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\xa8",
    "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80"};

}  // namespace

struct TextPattern::Code {
  struct Free {
    void operator()(pcre2_code* code) const { pcre2_code_free(code); }
    void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
  };
  std::unique_ptr<pcre2_code, Free> compiled;
};

TextPattern::TextPattern(const std::string& pattern,
                         const std::string& file,
                         const std::string& item) {
  int error = 0;
  PCRE2_SIZE offset = 0;
  pcre2_code* const compiled = pcre2_compile(
      units(pattern), pattern.size(), PCRE2_UTF | PCRE2_UCP, &error, &offset, nullptr);
  if (compiled == nullptr) {
    throw Error({.file = file,
                 .item = item,
                 .found = printable(pattern),
                 .expected = "a regular expression",
                 .hint = fmt::format("{} at byte {}", reason_of(error), offset)});
  }
  auto code = std::make_shared<Code>();
  code->compiled.reset(compiled);
  code_ = std::move(code);
}

std::vector<std::vector<std::string>> TextPattern::find_all(std::string_view text) const {
  const std::unique_ptr<pcre2_match_data, Code::Free> data(
      pcre2_match_data_create_from_pattern(code_->compiled.get(), nullptr));
  std::vector<std::vector<std::string>> matches;
  size_t position = 0;
  while (position <= text.size()) {
    const int groups = pcre2_match(
        code_->compiled.get(), units(text), text.size(), position, 0, data.get(), nullptr);
    if (groups == PCRE2_ERROR_NOMATCH) {
      break;
    }
    if (groups < 0) {
      fail_at_run_time(groups);
    }
    const PCRE2_SIZE* const bounds = pcre2_get_ovector_pointer(data.get());
    std::vector<std::string> match;
    for (uint32_t group = 0; group < pcre2_get_ovector_count(data.get()); ++group) {
      const PCRE2_SIZE begin = bounds[2 * group];
      const PCRE2_SIZE end = bounds[2 * group + 1];
      match.emplace_back(begin == PCRE2_UNSET ? std::string_view()
                                              : text.substr(begin, end - begin));
    }
    matches.push_back(std::move(match));
    position = bounds[1];
    if (bounds[0] == bounds[1]) {  // An empty match: go on behind the next character.
      do {
        ++position;
      } while (position < text.size() && (static_cast<uint8_t>(text[position]) & 0xC0U) == 0x80U);
    }
  }
  return matches;
}

std::string TextPattern::replace_all(std::string_view text, const std::string& replacement) const {
  std::string result(text.size() + 256, '\0');
  while (true) {
    PCRE2_SIZE size = result.size();
    const int count = pcre2_substitute(code_->compiled.get(),
                                       units(text),
                                       text.size(),
                                       0,
                                       kReplaceAll,
                                       nullptr,
                                       nullptr,
                                       units(replacement),
                                       replacement.size(),
                                       reinterpret_cast<PCRE2_UCHAR*>(result.data()),
                                       &size);
    if (count == PCRE2_ERROR_NOMEMORY) {
      result.resize(size);
    } else if (count < 0) {
      fail_at_run_time(count);
    } else {
      result.resize(size);
      return result;
    }
  }
}

std::string apply_rules(std::string text, const std::vector<TextRule>& rules) {
  for (const TextRule& rule : rules) {
    if (rule.pattern) {
      text = rule.pattern->replace_all(text, rule.with);
      continue;
    }
    for (size_t at = text.find(rule.literal); at != std::string::npos;
         at = text.find(rule.literal, at + rule.with.size())) {
      text.replace(at, rule.literal.size(), rule.with);
    }
  }
  return text;
}

std::string_view strip_end(std::string_view text) {
  const auto ends = [&](std::string_view space) { return text.ends_with(space); };
  for (auto space = std::ranges::find_if(kWhitespace, ends); space != kWhitespace.end();
       space = std::ranges::find_if(kWhitespace, ends)) {
    text.remove_suffix(space->size());
  }
  return text;
}

std::string strip(std::string_view text) {
  const auto begins = [&](std::string_view space) { return text.starts_with(space); };
  for (auto space = std::ranges::find_if(kWhitespace, begins); space != kWhitespace.end();
       space = std::ranges::find_if(kWhitespace, begins)) {
    text.remove_prefix(space->size());
  }
  return std::string(strip_end(text));
}

std::string capitalize(std::string_view text) {
  static const TextPattern first_and_rest("(?s)^(.)(.*)$", "", "capitalize");
  return first_and_rest.replace_all(text, "\\U$1\\L$2");
}

int64_t code_points(std::string_view text) {
  return std::ranges::count_if(
      text, [](char unit) { return (static_cast<uint8_t>(unit) & 0xC0U) != 0x80U; });
}

}  // namespace slayer
