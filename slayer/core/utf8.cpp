#include "slayer/core/utf8.h"

#include <cstddef>
#include <cstdint>

namespace slayer {
namespace {

/// Bytes of the character whose first byte this is; 0 when no character begins so.
size_t length_from_first_byte(uint8_t byte) {
  if (byte < 0x80) {
    return 1;
  }
  if (byte < 0xc2 || byte > 0xf4) {
    return 0;
  }
  return byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

/// Refuses, by the second byte, overlong forms, surrogates and code points above U+10FFFF.
/// Source: The Unicode Standard, table 3-7.
bool is_second_byte(uint8_t first, uint8_t second) {
  const uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  return second >= low && second <= high;
}

}  // namespace

bool is_utf8(std::string_view text) {
  const auto byte = [text](size_t index) { return static_cast<uint8_t>(text[index]); };
  for (size_t position = 0; position < text.size();) {
    const size_t length = length_from_first_byte(byte(position));
    if (length == 0 || length > text.size() - position) {
      return false;
    }
    if (length > 1 && !is_second_byte(byte(position), byte(position + 1))) {
      return false;
    }
    for (size_t next = position + 2; next < position + length; ++next) {
      if ((byte(next) & 0xc0U) != 0x80) {
        return false;
      }
    }
    position += length;
  }
  return true;
}

}  // namespace slayer
