#include "slayer/tokenizer/decoder.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <optional>

#include "slayer/core/error.h"
#include "slayer/core/utf8.h"
#include "slayer/tokenizer/byte_level.h"
#include "slayer/tokenizer/normalizer.h"

namespace slayer {
namespace {

using Tokens = std::vector<std::string>;

/// The byte that a token like "<0x0A>" stands for.
std::optional<char> fallback_byte(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || !token.ends_with('>')) {
    return std::nullopt;
  }
  unsigned value = 0;
  const auto [end, error] = std::from_chars(token.data() + 3, token.data() + 5, value, 16);
  return error == std::errc() && end == token.data() + 5 ? std::optional(static_cast<char>(value))
                                                         : std::nullopt;
}

Tokens apply(const Decoder::ByteLevelStep&, Tokens tokens) {
  std::string bytes;
  for (const std::string& token : tokens) {
    bytes += from_byte_level(token).value_or(token);
  }
  return {replace_invalid_utf8(bytes)};
}

Tokens apply(const Decoder::ByteFallbackStep&, Tokens tokens) {
  Tokens decoded;
  std::string bytes;
  const auto flush = [&] {
    if (valid_utf8_prefix(bytes) == bytes.size()) {
      if (!bytes.empty()) {
        decoded.push_back(bytes);
      }
    } else {
      decoded.insert(decoded.end(), bytes.size(), std::string(kReplacementCharacter));
    }
    bytes.clear();
  };
  for (std::string& token : tokens) {
    if (const auto byte = fallback_byte(token)) {
      bytes.push_back(*byte);
    } else {
      flush();
      decoded.push_back(std::move(token));
    }
  }
  flush();
  return decoded;
}

Tokens apply(const Decoder::FuseStep&, Tokens tokens) {
  return {fmt::format("{}", fmt::join(tokens, ""))};
}

Tokens apply(const Decoder::ReplaceStep& step, Tokens tokens) {
  for (std::string& token : tokens) {
    token = replace_all(token, step.regex, step.replacement);
  }
  return tokens;
}

Tokens apply(const Decoder::StripStep& step, Tokens tokens) {
  for (std::string& token : tokens) {
    std::string_view left = token;
    for (int64_t i = 0; i < step.start && left.starts_with(step.content); ++i) {
      left.remove_prefix(step.content.size());
    }
    for (int64_t i = 0; i < step.stop && left.ends_with(step.content); ++i) {
      left.remove_suffix(step.content.size());
    }
    token = std::string(left);
  }
  return tokens;
}

Tokens apply(const Decoder::MetaspaceStep& step, Tokens tokens) {
  for (size_t i = 0; i < tokens.size(); ++i) {
    const bool is_dropped = i == 0 && step.drops_first;
    tokens[i] = replace_all(tokens[i], step.replacement, is_dropped ? "" : " ");
  }
  return tokens;
}

std::string one_character(const JsonObject& json, std::string_view key) {
  std::string text = json.string(key);
  if (text.empty() || char_at(text, 0).size != text.size()) {
    json.fail(key, text.empty() ? "nothing" : printable(text), "one character");
  }
  return text;
}

Regex pattern_of(const JsonObject& json) {
  const JsonObject pattern = json.object("pattern");
  if (pattern.has("Regex")) {
    return {pattern.string("Regex"), json.file(), "decoder.pattern"};
  }
  const std::string text = pattern.string("String");
  if (text.empty()) {
    pattern.fail("String", "nothing", "text to replace");
  }
  return Regex::literal(text, json.file(), "decoder.pattern");
}

}  // namespace

Decoder::Decoder(const Json& json, const std::string& file) {
  if (!json.is_null()) {
    add(JsonObject(json, file, "decoder"));
  }
}

void Decoder::add(const JsonObject& json) {
  constexpr int64_t kMostStripped = 1'000'000;
  const std::string type = json.string("type");
  if (type == "Sequence") {
    for (const Json& part : json.array("decoders")) {
      add(JsonObject(part, json.file(), "decoder.decoders[]"));
    }
  } else if (type == "ByteLevel") {
    steps_.emplace_back(ByteLevelStep{});
  } else if (type == "ByteFallback") {
    steps_.emplace_back(ByteFallbackStep{});
  } else if (type == "Fuse") {
    steps_.emplace_back(FuseStep{});
  } else if (type == "Replace") {
    steps_.emplace_back(ReplaceStep{pattern_of(json), json.string("content")});
  } else if (type == "Strip") {
    steps_.emplace_back(StripStep{one_character(json, "content"),
                                  json.integer("start", 0, kMostStripped),
                                  json.integer("stop", 0, kMostStripped)});
  } else if (type == "Metaspace") {
    steps_.emplace_back(MetaspaceStep{one_character(json, "replacement"),
                                      json.string_or("prepend_scheme", "always") != "never" &&
                                          json.boolean_or("add_prefix_space", true)});
  } else {
    json.fail("type",
              printable(type),
              "Sequence, ByteLevel, ByteFallback, Fuse, Replace, Strip or Metaspace");
  }
}

bool is_fallback_byte(std::string_view token) { return fallback_byte(token).has_value(); }

std::string Decoder::decode(std::vector<std::string> tokens) const {
  for (const Step& step : steps_) {
    tokens = std::visit([&](const auto& one) { return apply(one, std::move(tokens)); }, step);
  }
  return fmt::format("{}", fmt::join(tokens, steps_.empty() ? " " : ""));
}

}  // namespace slayer
