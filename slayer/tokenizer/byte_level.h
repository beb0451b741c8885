#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace slayer {

/// GPT-2's alphabet: every byte has a printable character that stands for it in vocabularies, for
/// instance U+0120 for a space.
/// Source: openai/gpt-2, src/encoder.py, bytes_to_unicode.
char32_t byte_level_char(unsigned char byte);

/// A byte string in that alphabet.
std::string to_byte_level(std::string_view bytes);

/// The bytes that a token in that alphabet stands for; nothing where one of its characters is not
/// of the alphabet.
std::optional<std::string> from_byte_level(std::string_view token);

}  // namespace slayer
