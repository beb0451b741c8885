#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "slayer/core/json.h"
#include "slayer/tokenizer/bpe.h"

namespace slayer {

/// A tokenizer.json, its two large parts apart: they have 100,000 entries and more, which a DOM
/// that keeps the order of keys takes quadratic time to build.
struct TokenizerJson {
  Json rest;  ///< All but model.vocab and model.merges.
  std::vector<std::pair<std::string, TokenId>> vocab;
  Bpe::Merges merges;  ///< From "a b" or ["a", "b"].
};

/// Parses a hostile tokenizer.json. @throws Error naming `file` and the byte or the key, when it is
/// no JSON, nested too deep, or a vocabulary or merge is not of the right form.
TokenizerJson parse_tokenizer_json(std::string_view text, const std::string& file);

}  // namespace slayer
