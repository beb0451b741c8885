#include "slayer/tokenizer/sentencepiece.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <map>
#include <unordered_map>

#include "slayer/core/error.h"
#include "slayer/core/utf8.h"
#include "slayer/tokenizer/protobuf.h"

namespace slayer {
namespace {

constexpr size_t kLongestPiece = 512;  // Bytes; SentencePiece learns 16 characters at most.
constexpr std::string_view kSpaceMark = "\xE2\x96\x81";  // U+2581

/// A piece's type, by SentencePiece's sentencepiece_model.proto.
enum PieceType : uint8_t { kNormal = 1, kControl = 3, kUserDefined = 4 };

struct Piece {
  std::string text;
  uint64_t type = kNormal;
};

/// What we need of sentencepiece_model.proto's ModelProto.
struct SentencePieceModel {
  std::vector<Piece> pieces;
  uint64_t model_type = 1;  ///< TrainerSpec.model_type: 1 unigram, 2 BPE.
  bool normalizes = false;  ///< NormalizerSpec.precompiled_charsmap is there.
};

Piece read_piece(std::string_view message, const std::string& file, size_t index) {
  Piece piece;
  ProtobufReader reader(message, file);
  while (const auto field = reader.next()) {
    if (field->number == 1) {
      piece.text = field->bytes;
    } else if (field->number == 3) {
      piece.type = field->value;
    }
  }
  if (piece.text.empty() || piece.text.size() > kLongestPiece ||
      valid_utf8_prefix(piece.text) != piece.text.size()) {
    throw Error({.file = file,
                 .item = fmt::format("pieces[{}]", index),
                 .found = fmt::format("\"{}\"", printable(piece.text)),
                 .expected = fmt::format("1 to {} bytes of UTF-8", kLongestPiece)});
  }
  return piece;
}

SentencePieceModel read_model(std::string_view bytes, const std::string& file) {
  SentencePieceModel model;
  ProtobufReader reader(bytes, file);
  while (const auto field = reader.next()) {
    if (field->number == 1) {
      model.pieces.push_back(read_piece(field->bytes, file, model.pieces.size()));
    } else if (field->number == 2) {
      ProtobufReader trainer(field->bytes, file);
      while (const auto option = trainer.next()) {
        model.model_type = option->number == 3 ? option->value : model.model_type;
      }
    } else if (field->number == 3) {
      ProtobufReader normalizer(field->bytes, file);
      while (const auto option = normalizer.next()) {
        model.normalizes |= option->number == 2 && !option->bytes.empty();
      }
    }
  }
  const auto require =
      [&](bool holds, std::string_view item, std::string found, std::string_view expected) {
        if (!holds) {
          throw Error({.file = file,
                       .item = std::string(item),
                       .found = std::move(found),
                       .expected = std::string(expected)});
        }
      };
  require(!model.pieces.empty(), "pieces", "none", "a SentencePiece model");
  require(model.pieces.size() <= Vocabulary::kIdLimit,
          "pieces",
          fmt::format("{}", model.pieces.size()),
          fmt::format("at most {}", Vocabulary::kIdLimit));
  require(model.model_type == 2,
          "trainer_spec.model_type",
          fmt::format("{}", model.model_type),
          "2, BPE");
  require(
      !model.normalizes, "normalizer_spec.precompiled_charsmap", "a table", "none: text as it is");
  return model;
}

/// Every way to put a piece together from two others is a merge. Pieces merge in the order of their
/// ids; where several pairs give one piece, the pair with the shorter left part goes first.
Bpe::Merges merges_of(const std::vector<Piece>& pieces) {
  std::unordered_map<std::string_view, size_t> ids;
  for (size_t id = 0; id < pieces.size(); ++id) {
    ids[pieces[id].text] = id;
  }
  Bpe::Merges merges;
  for (const Piece& piece : pieces) {
    const std::string_view text = piece.text;
    for (size_t middle = char_at(text, 0).size; middle < text.size();
         middle += char_at(text, middle).size) {
      if (ids.contains(text.substr(0, middle)) && ids.contains(text.substr(middle))) {
        merges.emplace_back(text.substr(0, middle), text.substr(middle));
      }
    }
  }
  return merges;
}

Json special_token(const std::string& content, size_t id, bool is_special) {
  return {{"id", id}, {"content", content}, {"normalized", false}, {"special", is_special}};
}

std::string token_name(const JsonObject& config, std::string_view key, std::string_view fallback) {
  if (!config.has(key)) {
    return std::string(fallback);
  }
  const bool is_text = config.json().find(key)->is_string();
  return is_text ? config.string(key) : config.object(key).string("content");
}

/// Control and user-defined pieces, and what tokenizer_config.json adds or says otherwise, by id.
Json added_tokens(const SentencePieceModel& model, const JsonObject& config) {
  const std::vector<std::string> names = {token_name(config, "unk_token", "<unk>"),
                                          token_name(config, "bos_token", "<s>"),
                                          token_name(config, "eos_token", "</s>")};
  std::map<int64_t, Json> by_id;
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    const auto& [text, type] = model.pieces[id];
    const bool is_special = type == kControl || std::ranges::find(names, text) != names.end();
    if (is_special || type == kUserDefined) {
      by_id[static_cast<int64_t>(id)] = special_token(text, id, is_special);
    }
  }
  if (config.has("added_tokens_decoder")) {
    const JsonObject listed = config.object("added_tokens_decoder");
    for (const auto& [key, entry] : listed.json().items()) {
      int64_t id = -1;
      const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
      if (error != std::errc() || end != key.data() + key.size() || !entry.is_object()) {
        listed.fail(key, printable(compact_text(entry)), "a token under its id");
      }
      by_id[id] = entry;
      by_id[id]["id"] = id;
    }
  }
  Json tokens = Json::array();
  for (auto& [id, entry] : by_id) {
    tokens.push_back(std::move(entry));
  }
  return tokens;
}

Json template_of(const JsonObject& config, const SentencePieceModel& model) {
  Json single = Json::array();
  Json special_tokens = Json::object();
  const auto add = [&](bool is_wanted, const std::string& name, std::string_view key) {
    const auto piece = std::ranges::find(model.pieces, name, &Piece::text);
    if (!is_wanted) {
      return;
    }
    if (piece == model.pieces.end()) {
      config.fail(key, printable(name), "a piece of the model");
    }
    single.push_back({{"SpecialToken", {{"id", name}}}});
    special_tokens[name] = {{"ids", {piece - model.pieces.begin()}}};
  };
  add(config.boolean_or("add_bos_token", true),
      token_name(config, "bos_token", "<s>"),
      "bos_token");
  single.push_back({{"Sequence", {{"id", "A"}}}});
  add(config.boolean_or("add_eos_token", false),
      token_name(config, "eos_token", "</s>"),
      "eos_token");
  return {{"type", "TemplateProcessing"}, {"single", single}, {"special_tokens", special_tokens}};
}

}  // namespace

TokenizerJson tokenizer_json_from_sentencepiece(std::string_view model_bytes,
                                                const std::string& file,
                                                const Json& config_json,
                                                const std::string& config_file) {
  const SentencePieceModel model = read_model(model_bytes, file);
  const JsonObject config(config_json, config_file);
  const bool adds_prefix = config.boolean_or("add_prefix_space", true);
  const bool is_legacy = config.boolean_or("legacy", false);
  Json decoders = {{{"type", "Replace"}, {"pattern", {{"String", kSpaceMark}}}, {"content", " "}},
                   {{"type", "ByteFallback"}},
                   {{"type", "Fuse"}}};
  if (adds_prefix) {
    decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  }
  TokenizerJson result;
  result.merges = merges_of(model.pieces);
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    result.vocab.emplace_back(model.pieces[id].text, static_cast<TokenId>(id));
  }
  result.rest = {{"added_tokens", added_tokens(model, config)},
                 {"pre_tokenizer",
                  {{"type", "Metaspace"},
                   {"replacement", kSpaceMark},
                   {"prepend_scheme",
                    !adds_prefix ? "never"
                    : is_legacy  ? "always"
                                 : "first"},
                   {"split", false}}},
                 {"post_processor", template_of(config, model)},
                 {"decoder", {{"type", "Sequence"}, {"decoders", decoders}}},
                 {"model", {{"type", "BPE"}, {"fuse_unk", true}, {"byte_fallback", true}}}};
  return result;
}

}  // namespace slayer
