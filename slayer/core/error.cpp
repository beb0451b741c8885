#include "slayer/core/error.h"

#include <algorithm>
#include <fmt/format.h>

#include "slayer/core/utf8.h"

namespace slayer {
namespace {

std::string compose(const ErrorParts& parts) {
  std::string message;
  const auto append = [&message](std::string_view separator, std::string_view text) {
    if (!text.empty()) {
      message += message.empty() ? "" : separator;
      message += text;
    }
  };
  append("", parts.file);
  append(": ", parts.item);
  if (!parts.found.empty()) {
    append(": ", "found " + parts.found);
    append(", ", parts.expected.empty() ? "" : "expected " + parts.expected);
  } else {
    append(": ", parts.expected.empty() ? "" : "expected " + parts.expected);
  }
  if (!parts.hint.empty()) {
    append(" ", "(" + parts.hint + ")");
  }
  return message;
}

constexpr size_t kLongestCharacter = 4;  // Bytes.

/// C0, C1, and what ends a line or turns the direction of the text around it.
bool is_control(char32_t character) {
  return character < 0x20 || (character >= 0x7f && character < 0xa0) || character == 0x061c ||
         character == 0x200e || character == 0x200f ||
         (character >= 0x2028 && character <= 0x202e) ||
         (character >= 0x2066 && character <= 0x2069);
}

}  // namespace

Error::Error(ErrorParts parts) : std::runtime_error(compose(parts)), parts_(std::move(parts)) {}

std::string printable(std::string_view text, size_t limit) {
  std::string result;
  size_t shown = 0;
  for (size_t at = 0, size = 1; at < text.size(); at += size, ++shown) {
    if (shown >= limit) {
      return result + "...";
    }
    const size_t whole = std::min(text.size() - at, kLongestCharacter);
    const bool is_valid = valid_utf8_prefix(text.substr(at, whole)) > 0;
    size = is_valid ? char_at(text, at).size : 1;
    if (is_valid && !is_control(char_at(text, at).code_point)) {
      result += text.substr(at, size);
      continue;
    }
    for (const char byte : text.substr(at, size)) {
      result += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
    }
  }
  return result;
}

}  // namespace slayer
