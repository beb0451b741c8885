#include "slayer/tokenizer/tokenizer_parts.h"

#include <fmt/format.h>

#include "slayer/core/error.h"
#include "slayer/core/json.h"

namespace slayer {
namespace {

/// A part of the file, null where it is missing.
const Json& part_of(const Json& rest, std::string_view key) {
  static const Json null;
  const auto found = rest.find(key);
  return found == rest.end() ? null : *found;
}

void refuse_unsupported_model(const JsonObject& model) {
  if (const std::string type = model.string_or("type", "BPE"); type != "BPE") {
    model.fail("type", printable(type), "BPE");
  }
  if (model.number_or("dropout", 0.0) != 0.0) {
    model.fail("dropout", "a number", "null: encoding must not be random");
  }
  for (const std::string_view affix : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (!model.string_or(affix, "").empty()) {
      model.fail(affix, printable(model.string(affix)), "nothing");
    }
  }
}

void add_model_tokens(const TokenizerJson& json, const std::string& file, Vocabulary& vocabulary) {
  for (const auto& [token, id] : json.vocab) {
    const std::string* rival = vocabulary.token_of(id);
    if (!vocabulary.add(token, id)) {
      throw Error({.file = file,
                   .item = fmt::format("model.vocab.{}", printable(token)),
                   .found = rival != nullptr
                                ? fmt::format("id {}, which \"{}\" has too", id, printable(*rival))
                                : "the token twice",
                   .expected = "each token and id once"});
    }
  }
}

/// The added tokens, which join the vocabulary where they are new. `tokenizers` gives new ones the
/// ids after the last and ignores those in the file, so the two must agree.
std::vector<AddedToken> read_added_tokens(const Json& list,
                                          const std::string& file,
                                          Vocabulary& vocabulary) {
  std::vector<AddedToken> tokens;
  if (list.is_null()) {
    return tokens;
  }
  if (!list.is_array()) {
    throw Error(
        {.file = file, .item = "added_tokens", .found = list.type_name(), .expected = "an array"});
  }
  const auto model_size = static_cast<TokenId>(vocabulary.size());
  TokenId next_id = model_size;
  for (const Json& entry : list) {
    const JsonObject json(entry, file, fmt::format("added_tokens[{}]", tokens.size()));
    const bool is_special = json.boolean_or("special", false);
    AddedToken token{.id = static_cast<TokenId>(json.integer("id", 0, Vocabulary::kIdLimit - 1)),
                     .content = json.string("content"),
                     .is_special = is_special,
                     .is_single_word = json.boolean_or("single_word", false),
                     .strips_left = json.boolean_or("lstrip", false),
                     .strips_right = json.boolean_or("rstrip", false),
                     .is_normalized = json.boolean_or("normalized", !is_special)};
    if (token.content.empty()) {
      json.fail("content", "nothing", "the token's text");
    }
    const TokenId expected_id = vocabulary.id_of(token.content).value_or(next_id);
    if (token.id != expected_id) {
      json.fail("id",
                fmt::format("{} for {}", token.id, printable(token.content)),
                fmt::format("{}", expected_id));
    }
    if (vocabulary.add(token.content, token.id)) {
      ++next_id;
    }
    tokens.push_back(std::move(token));
  }
  return tokens;
}

BpeOptions bpe_options(const JsonObject& model, const Vocabulary& vocabulary, bool is_byte_level) {
  BpeOptions options{.is_byte_level = is_byte_level,
                     .byte_fallback = model.boolean_or("byte_fallback", false),
                     .ignore_merges = model.boolean_or("ignore_merges", false),
                     .fuse_unk = model.boolean_or("fuse_unk", false)};
  if (model.has("unk_token")) {
    const std::string unk = model.string("unk_token");
    options.unk_id = vocabulary.id_of(unk);
    if (!options.unk_id) {
      model.fail("unk_token", printable(unk), "a token of model.vocab");
    }
  }
  return options;
}

}  // namespace

TokenizerParts tokenizer_parts(const TokenizerJson& json, const std::string& file) {
  const JsonObject root(json.rest, file);
  const JsonObject model = root.object("model");
  refuse_unsupported_model(model);
  for (const std::string_view large : {"vocab", "merges"}) {
    if (model.has(large)) {  // Left in the rest: not of the form that holds entries.
      model.fail(large,
                 model.json()[std::string(large)].type_name(),
                 large == "vocab" ? "an object" : "an array");
    }
  }
  auto vocabulary = std::make_shared<Vocabulary>();
  add_model_tokens(json, file, *vocabulary);
  if (vocabulary->size() == 0) {
    model.fail("vocab", "no tokens", "an object of tokens and ids");
  }
  PreTokenizer pre_tokenizer(part_of(json.rest, "pre_tokenizer"), file);
  const BpeOptions options = bpe_options(model, *vocabulary, pre_tokenizer.is_byte_level());
  Bpe bpe(vocabulary, json.merges, options, file);
  auto added_tokens = read_added_tokens(part_of(json.rest, "added_tokens"), file, *vocabulary);
  const SpecialFrame frame = special_frame(part_of(json.rest, "post_processor"), *vocabulary, file);
  return {std::move(added_tokens),
          Normalizer(part_of(json.rest, "normalizer"), file),
          std::move(pre_tokenizer),
          vocabulary,
          std::move(bpe),
          frame,
          Decoder(part_of(json.rest, "decoder"), file)};
}

}  // namespace slayer
