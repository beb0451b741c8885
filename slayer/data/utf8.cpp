#include "slayer/data/utf8.h"

#include <cstdint>
#include <cstring>

namespace slayer {
namespace {

constexpr uint64_t kHighBits = 0x8080808080808080U;

/// What may follow a lead byte: the number of continuation bytes and the range of the first one.
struct Lead {
  size_t continuations;
  uint8_t low = 0x80;
  uint8_t high = 0xBF;
};

std::optional<Lead> lead_of(uint8_t byte) {
  if (byte >= 0xC2 && byte <= 0xDF) {
    return Lead{1};
  }
  if (byte >= 0xE0 && byte <= 0xEF) {
    return Lead{2,
                static_cast<uint8_t>(byte == 0xE0 ? 0xA0 : 0x80),   // no overlong forms
                static_cast<uint8_t>(byte == 0xED ? 0x9F : 0xBF)};  // no surrogates
  }
  if (byte >= 0xF0 && byte <= 0xF4) {
    return Lead{3,
                static_cast<uint8_t>(byte == 0xF0 ? 0x90 : 0x80),
                static_cast<uint8_t>(byte == 0xF4 ? 0x8F : 0xBF)};  // up to U+10FFFF
  }
  return std::nullopt;
}

bool is_followed_well(std::string_view text, size_t position, const Lead& lead) {
  if (text.size() - position <= lead.continuations) {
    return false;
  }
  for (size_t i = 1; i <= lead.continuations; ++i) {
    const auto byte = static_cast<uint8_t>(text[position + i]);
    if (byte < (i == 1 ? lead.low : 0x80) || byte > (i == 1 ? lead.high : 0xBF)) {
      return false;
    }
  }
  return true;
}

}  // namespace

std::optional<size_t> find_invalid_utf8(std::string_view text) {
  size_t position = 0;
  while (position < text.size()) {
    uint64_t word = kHighBits;
    if (text.size() - position >= sizeof word) {
      std::memcpy(&word, text.data() + position, sizeof word);
    }
    if ((word & kHighBits) == 0) {
      position += sizeof word;
      continue;
    }
    const auto byte = static_cast<uint8_t>(text[position]);
    if (byte < 0x80) {
      ++position;
      continue;
    }
    const std::optional<Lead> lead = lead_of(byte);
    if (!lead || !is_followed_well(text, position, *lead)) {
      return position;
    }
    position += lead->continuations + 1;
  }
  return std::nullopt;
}

}  // namespace slayer
