#include "slayer/tokenizer/post_processor.h"

#include <fmt/format.h>

#include "slayer/core/error.h"

namespace slayer {
namespace {

std::vector<TokenId> special_ids(const JsonObject& json,
                                 const std::string& name,
                                 const Vocabulary& vocabulary) {
  const JsonObject special = json.object("special_tokens");
  if (!special.has(name)) {
    special.fail(name, "nothing", "the ids of a token that the template uses");
  }
  std::vector<TokenId> ids;
  const JsonObject token = special.object(name);
  for (const Json& value : token.array("ids")) {
    const bool is_known = value.is_number_integer() && value >= 0 && value < Vocabulary::kIdLimit &&
                          vocabulary.token_of(value.get<TokenId>()) != nullptr;
    if (!is_known) {
      token.fail("ids", printable(compact_text(value)), "ids of the vocabulary");
    }
    ids.push_back(value.get<TokenId>());
  }
  return ids;
}

SpecialFrame template_frame(const JsonObject& json, const Vocabulary& vocabulary) {
  SpecialFrame frame;
  bool seen_text = false;
  for (const Json& piece : json.array("single")) {
    const JsonObject part(piece, json.file(), "post_processor.single[]");
    if (part.has("Sequence")) {
      if (seen_text || part.object("Sequence").string("id") != "A") {
        json.fail("single", printable(compact_text(piece)), "the sequence A once");
      }
      seen_text = true;
      continue;
    }
    const auto ids = special_ids(json, part.object("SpecialToken").string("id"), vocabulary);
    auto& side = seen_text ? frame.suffix : frame.prefix;
    side.insert(side.end(), ids.begin(), ids.end());
  }
  if (!seen_text) {
    json.fail("single", "no sequence", "the sequence A once");
  }
  return frame;
}

SpecialFrame frame_of(const JsonObject& json, const Vocabulary& vocabulary) {
  const std::string type = json.string("type");
  if (type == "TemplateProcessing") {
    return template_frame(json, vocabulary);
  }
  SpecialFrame frame;
  if (type == "Sequence") {
    for (const Json& part : json.array("processors")) {
      // Each wraps what the ones before have made.
      const auto outer =
          frame_of(JsonObject(part, json.file(), "post_processor.processors[]"), vocabulary);
      frame.prefix.insert(frame.prefix.begin(), outer.prefix.begin(), outer.prefix.end());
      frame.suffix.insert(frame.suffix.end(), outer.suffix.begin(), outer.suffix.end());
    }
  } else if (type != "ByteLevel") {  // Which only moves offsets.
    json.fail("type", printable(type), "Sequence, TemplateProcessing or ByteLevel");
  }
  return frame;
}

}  // namespace

SpecialFrame special_frame(const Json& json,
                           const Vocabulary& vocabulary,
                           const std::string& file) {
  return json.is_null() ? SpecialFrame{}
                        : frame_of(JsonObject(json, file, "post_processor"), vocabulary);
}

}  // namespace slayer
