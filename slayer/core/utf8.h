#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace slayer {

/// One character and the bytes it takes.
struct DecodedChar {
  char32_t code_point;
  size_t size;
};

/// The character at `text[position]`. `text` is valid UTF-8, `position` the start of a character.
inline DecodedChar char_at(std::string_view text, size_t position) {
  const auto byte = [&](size_t offset) {
    return static_cast<char32_t>(static_cast<unsigned char>(text[position + offset]));
  };
  const char32_t first = byte(0);
  if (first < 0x80) {
    return {first, 1};
  }
  if (first < 0xE0) {
    return {((first & 0x1FU) << 6U) | (byte(1) & 0x3FU), 2};
  }
  if (first < 0xF0) {
    return {((first & 0x0FU) << 12U) | ((byte(1) & 0x3FU) << 6U) | (byte(2) & 0x3FU), 3};
  }
  return {((first & 0x07U) << 18U) | ((byte(1) & 0x3FU) << 12U) | ((byte(2) & 0x3FU) << 6U) |
              (byte(3) & 0x3FU),
          4};
}

/// Where the character before `text[position]` starts; `position` is above 0.
size_t previous_char(std::string_view text, size_t position);

void append_utf8(char32_t code_point, std::string& text);

/// The length of the well-formed UTF-8 that `text` starts with: no overlong forms, no surrogates,
/// nothing above U+10FFFF. Source: The Unicode Standard 15.0, table 3-7.
size_t valid_utf8_prefix(std::string_view text);

inline bool is_utf8(std::string_view text) { return valid_utf8_prefix(text) == text.size(); }

/// `text` with every ill-formed part as U+FFFD, one for each maximal part that could have begun a
/// character (Unicode 3.9, "substitution of maximal subparts"), as Rust's and Python's decoders do.
std::string replace_invalid_utf8(std::string_view text);

/// The bytes at the end of `text` that begin a character which later bytes could complete.
size_t incomplete_utf8_suffix(std::string_view text);

constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";  ///< U+FFFD

}  // namespace slayer
