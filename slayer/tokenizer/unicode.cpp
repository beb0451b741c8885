#include "slayer/tokenizer/unicode.h"

#include <algorithm>
#include <span>
#include <utf8proc.h>

namespace slayer {
namespace {

using enum CharClasses::Class;

struct CodePointRange {
  char32_t first;
  char32_t last;
};

struct ClassRange {
  char32_t first;
  char32_t last;
  CharClasses::Class char_class;
};

#include "slayer/tokenizer/unicode_ranges.inc"

bool contains(std::span<const CodePointRange> ranges, char32_t code_point) {
  const auto after = std::ranges::upper_bound(ranges, code_point, {}, &CodePointRange::first);
  return after != ranges.begin() && code_point <= std::prev(after)->last;
}

}  // namespace

CharClasses::CharClasses() {
  table_.fill(kOther);
  for (const ClassRange& range : kClasses) {
    for (char32_t c = range.first; c <= range.last && c < kTableSize; ++c) {
      table_[c] = range.char_class;
    }
  }
}

CharClasses::Class CharClasses::search(char32_t code_point) {
  const auto after = std::ranges::upper_bound(kClasses, code_point, {}, &ClassRange::first);
  const bool is_found = after != kClasses.begin() && code_point <= std::prev(after)->last;
  return is_found ? std::prev(after)->char_class : kOther;
}

const CharClasses& char_classes() {
  static const CharClasses classes;
  return classes;
}

bool is_numeric(char32_t code_point) {
  return char_classes()(code_point) == kNumber || contains(kMoreNumeric, code_point);
}

bool is_joining(char32_t code_point) {
  return code_point >= kJoining.front().first && contains(kJoining, code_point);
}

bool is_white_space(char32_t code_point) { return char_classes()(code_point) == kSpace; }

bool is_word_char(char32_t code_point) {
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(code_point))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
      return true;
    default:
      break;
  }
  // Join_Control, and the circled and squared letters, which are alphabetic symbols.
  return (code_point >= 0x200C && code_point <= 0x200D) ||
         (code_point >= 0x24B6 && code_point <= 0x24E9) ||
         (code_point >= 0x1F130 && code_point <= 0x1F149) ||
         (code_point >= 0x1F150 && code_point <= 0x1F169) ||
         (code_point >= 0x1F170 && code_point <= 0x1F189);
}

}  // namespace slayer
