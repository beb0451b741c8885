#include "slayer/core/utf8.h"

#include <algorithm>
#include <cstring>

namespace slayer {
namespace {

/// What one step over possibly ill-formed UTF-8 sees: a whole character, a part of one that the
/// text's end cuts off, or bytes that cannot belong to any.
enum class Step : uint8_t { kCharacter, kCutOff, kIllFormed };

struct StepResult {
  Step step;
  size_t size;
};

/// Unicode 15, table 3-7: the range of the second byte depends on the first.
StepResult step_at(std::string_view text, size_t position) {
  const auto byte = [&](size_t offset) {
    return static_cast<unsigned char>(text[position + offset]);
  };
  const unsigned char first = byte(0);
  if (first < 0x80) {
    return {Step::kCharacter, 1};
  }
  if (first < 0xC2 || first > 0xF4) {
    return {Step::kIllFormed, 1};
  }
  const size_t size = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  const unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  const unsigned char high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  for (size_t i = 1; i < size; ++i) {
    if (position + i == text.size()) {
      return {Step::kCutOff, i};
    }
    const bool is_in_range = i == 1 ? byte(i) >= low && byte(i) <= high : (byte(i) & 0xC0U) == 0x80;
    if (!is_in_range) {
      return {Step::kIllFormed, i};
    }
  }
  return {Step::kCharacter, size};
}

}  // namespace

size_t previous_char(std::string_view text, size_t position) {
  do {
    --position;
  } while (position > 0 && (static_cast<unsigned char>(text[position]) & 0xC0U) == 0x80);
  return position;
}

void append_utf8(char32_t code_point, std::string& text) {
  const auto push = [&](char32_t byte) { text.push_back(static_cast<char>(byte)); };
  if (code_point < 0x80) {
    push(code_point);
  } else if (code_point < 0x800) {
    push(0xC0U | (code_point >> 6U));
    push(0x80U | (code_point & 0x3FU));
  } else if (code_point < 0x10000) {
    push(0xE0U | (code_point >> 12U));
    push(0x80U | ((code_point >> 6U) & 0x3FU));
    push(0x80U | (code_point & 0x3FU));
  } else {
    push(0xF0U | (code_point >> 18U));
    push(0x80U | ((code_point >> 12U) & 0x3FU));
    push(0x80U | ((code_point >> 6U) & 0x3FU));
    push(0x80U | (code_point & 0x3FU));
  }
}

size_t valid_utf8_prefix(std::string_view text) {
  size_t position = 0;
  while (position < text.size()) {
    // Eight bytes of ASCII at a time, which most text is.
    uint64_t word = 0;
    if (text.size() - position >= sizeof(word)) {
      std::memcpy(&word, text.data() + position, sizeof(word));
      if ((word & 0x8080808080808080U) == 0) {
        position += sizeof(word);
        continue;
      }
    }
    const StepResult result = step_at(text, position);
    if (result.step != Step::kCharacter) {
      break;
    }
    position += result.size;
  }
  return position;
}

std::string replace_invalid_utf8(std::string_view text) {
  std::string replaced;
  replaced.reserve(text.size());
  while (!text.empty()) {
    const size_t valid = valid_utf8_prefix(text);
    replaced.append(text.substr(0, valid));
    text.remove_prefix(valid);
    if (!text.empty()) {
      replaced.append(kReplacementCharacter);
      text.remove_prefix(step_at(text, 0).size);
    }
  }
  return replaced;
}

size_t incomplete_utf8_suffix(std::string_view text) {
  for (size_t size = 1; size <= std::min<size_t>(3, text.size()); ++size) {
    const StepResult result = step_at(text, text.size() - size);
    if (result.step == Step::kCutOff && result.size == size) {
      return size;
    }
  }
  return 0;
}

}  // namespace slayer
