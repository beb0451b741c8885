#include "slayer/tokenizer/normalizer.h"

#include <cstdlib>
#include <memory>
#include <new>
#include <utf8proc.h>

#include "slayer/core/error.h"
#include "slayer/core/utf8.h"
#include "slayer/tokenizer/unicode.h"

namespace slayer {
namespace {

struct FreeMemory {
  void operator()(utf8proc_uint8_t* memory) const { std::free(memory); }
};

bool decomposes(char32_t code_point) {
  constexpr uint16_t kNone = UINT16_MAX;
  const auto* property = utf8proc_get_property(static_cast<utf8proc_int32_t>(code_point));
  return property->decomp_seqindex != kNone;
}

/// A mark that the library would move and `tokenizers` does not know: see is_joining.
bool is_late_mark(char32_t code_point) {
  const auto* property = utf8proc_get_property(static_cast<utf8proc_int32_t>(code_point));
  return property->combining_class != 0 && !is_joining(code_point);
}

/// Appends the canonical composition of `text`.
void append_nfc(std::string_view text, std::string& normalized) {
  utf8proc_uint8_t* composed = nullptr;
  const auto size =
      utf8proc_map(std::bit_cast<const utf8proc_uint8_t*>(text.data()),
                   static_cast<utf8proc_ssize_t>(text.size()),
                   &composed,
                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  const std::unique_ptr<utf8proc_uint8_t, FreeMemory> owner(composed);
  if (size < 0) {  // The text is valid UTF-8, so only memory can fail.
    throw std::bad_alloc();
  }
  normalized.append(std::bit_cast<const char*>(composed), static_cast<size_t>(size));
}

/// Composes character by character, each with those that follow and may join it: no other can
/// change what stands before.
std::string nfc(std::string_view text) {
  constexpr char32_t kFirstThatChanges = 0x300;  // Below, a character alone is its own composition.
  std::string normalized;
  normalized.reserve(text.size());
  size_t copied = 0;
  for (size_t position = 0; position < text.size();) {
    const size_t begin = position;
    const auto [code_point, size] = char_at(text, begin);
    position += size;
    bool is_joined = false;
    while (position < text.size() && static_cast<unsigned char>(text[position]) >= 0x80) {
      const DecodedChar next = char_at(text, position);
      if (!is_joining(next.code_point)) {
        break;
      }
      position += next.size;
      is_joined = true;
    }
    if (is_joined || (code_point >= kFirstThatChanges && decomposes(code_point))) {
      const size_t first = is_late_mark(code_point) ? begin + size : begin;
      normalized.append(text.substr(copied, first - copied));
      append_nfc(text.substr(first, position - first), normalized);
      copied = position;
    }
  }
  normalized.append(text.substr(copied));
  return normalized;
}

}  // namespace

std::string replace_all(std::string_view subject,
                        std::string_view text,
                        std::string_view replacement) {
  std::string replaced;
  replaced.reserve(subject.size());
  size_t copied = 0;
  for (size_t found = subject.find(text); found != std::string_view::npos;
       found = subject.find(text, copied)) {
    replaced.append(subject.substr(copied, found - copied)).append(replacement);
    copied = found + text.size();
  }
  replaced.append(subject.substr(copied));
  return replaced;
}

std::string replace_all(std::string_view subject,
                        const Regex& regex,
                        std::string_view replacement) {
  std::string replaced;
  size_t copied = 0;
  Regex::Matches matches(regex, subject);
  while (const auto match = matches.next()) {
    replaced.append(subject.substr(copied, match->begin - copied)).append(replacement);
    copied = match->end;
  }
  replaced.append(subject.substr(copied));
  return replaced;
}

Normalizer::Normalizer(const Json& json, const std::string& file) {
  if (!json.is_null()) {
    add(JsonObject(json, file, "normalizer"));
  }
}

void Normalizer::add(const JsonObject& json) {
  const std::string type = json.string("type");
  if (type == "Sequence") {
    for (const Json& part : json.array("normalizers")) {
      add(JsonObject(part, json.file(), "normalizer.normalizers[]"));
    }
  } else if (type == "NFC") {
    steps_.emplace_back(NfcStep{});
  } else if (type == "Prepend") {
    steps_.emplace_back(PrependStep{json.string("prepend")});
  } else if (type == "Replace") {
    const JsonObject pattern = json.object("pattern");
    if (pattern.has("Regex")) {
      steps_.emplace_back(
          ReplaceRegexStep{Regex(pattern.string("Regex"), json.file(), "normalizer.pattern"),
                           json.string("content")});
      return;
    }
    const std::string text = pattern.string("String");
    if (text.empty()) {
      pattern.fail("String", "nothing", "text to replace");
    }
    steps_.emplace_back(ReplaceStep{text, json.string("content")});
  } else {
    json.fail("type", printable(type), "Sequence, NFC, Prepend or Replace");
  }
}

std::string Normalizer::normalize(std::string_view text) const {
  std::string normalized(text);
  for (const Step& step : steps_) {
    if (std::holds_alternative<NfcStep>(step)) {
      normalized = nfc(normalized);
    } else if (const auto* prepend = std::get_if<PrependStep>(&step)) {
      if (!normalized.empty()) {
        normalized.insert(0, prepend->text);
      }
    } else if (const auto* replace = std::get_if<ReplaceStep>(&step)) {
      normalized = replace_all(normalized, replace->text, replace->replacement);
    } else if (const auto* replace_regex = std::get_if<ReplaceRegexStep>(&step)) {
      normalized = replace_all(normalized, replace_regex->regex, replace_regex->replacement);
    }
  }
  return normalized;
}

}  // namespace slayer
