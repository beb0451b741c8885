#pragma once

#include <string>
#include <vector>

#include "slayer/core/json.h"
#include "slayer/tokenizer/vocabulary.h"

namespace slayer {

/// The special tokens around a text, usually BOS before it.
struct SpecialFrame {
  std::vector<TokenId> prefix;
  std::vector<TokenId> suffix;
};

/// From tokenizer.json's "post_processor", null included: what a single text gets, not a pair.
/// @throws Error naming what we cannot do, or ids that are not in `vocabulary`.
SpecialFrame special_frame(const Json& json, const Vocabulary& vocabulary, const std::string& file);

}  // namespace slayer
