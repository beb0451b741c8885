#include "slayer/tokenizer/byte_level.h"

#include <array>

#include "slayer/core/utf8.h"

namespace slayer {
namespace {

constexpr char32_t kAlphabetEnd = 0x144;  // 256 + the 68 bytes that are not printable.

struct Alphabet {
  std::array<char32_t, 256> char_of_byte{};
  std::array<int16_t, kAlphabetEnd> byte_of_char{};
};

constexpr bool stands_for_itself(char32_t byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

constexpr Alphabet make_alphabet() {
  Alphabet alphabet;
  alphabet.byte_of_char.fill(-1);
  char32_t next = 256;
  for (char32_t byte = 0; byte < 256; ++byte) {
    const char32_t code_point = stands_for_itself(byte) ? byte : next++;
    alphabet.char_of_byte[byte] = code_point;
    alphabet.byte_of_char[code_point] = static_cast<int16_t>(byte);
  }
  return alphabet;
}

constexpr Alphabet kAlphabet = make_alphabet();

}  // namespace

char32_t byte_level_char(unsigned char byte) { return kAlphabet.char_of_byte[byte]; }

std::string to_byte_level(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char byte : bytes) {
    append_utf8(byte_level_char(static_cast<unsigned char>(byte)), text);
  }
  return text;
}

std::optional<std::string> from_byte_level(std::string_view token) {
  std::string bytes;
  bytes.reserve(token.size());
  for (size_t position = 0; position < token.size();) {
    const auto [code_point, size] = char_at(token, position);
    if (code_point >= kAlphabetEnd || kAlphabet.byte_of_char[code_point] < 0) {
      return std::nullopt;
    }
    bytes.push_back(static_cast<char>(kAlphabet.byte_of_char[code_point]));
    position += size;
  }
  return bytes;
}

}  // namespace slayer
