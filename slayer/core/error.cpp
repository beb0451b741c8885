#include "slayer/core/error.h"

#include <fmt/format.h>

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

}  // namespace

Error::Error(ErrorParts parts) : std::runtime_error(compose(parts)), parts_(std::move(parts)) {}

std::string printable(std::string_view text, size_t limit) {
  std::string result;
  for (const char character : text) {
    if (result.size() >= limit) {
      return result + "...";
    }
    const auto byte = static_cast<unsigned char>(character);
    result +=
        byte < 0x20 || byte >= 0x7f ? fmt::format("\\x{:02x}", byte) : std::string(1, character);
  }
  return result;
}

}  // namespace slayer
