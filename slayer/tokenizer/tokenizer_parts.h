#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "slayer/tokenizer/added_tokens.h"
#include "slayer/tokenizer/bpe.h"
#include "slayer/tokenizer/decoder.h"
#include "slayer/tokenizer/normalizer.h"
#include "slayer/tokenizer/post_processor.h"
#include "slayer/tokenizer/pre_tokenizer.h"
#include "slayer/tokenizer/tokenizer_json.h"
#include "slayer/tokenizer/vocabulary.h"

namespace slayer {

/// All that a tokenizer is made of, in the order in which a text passes through.
struct TokenizerParts {
  std::vector<AddedToken> added_tokens;
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  std::shared_ptr<const Vocabulary> vocabulary;  ///< With the added tokens.
  Bpe bpe;
  SpecialFrame frame;
  Decoder decoder;
};

/// From a tokenizer.json, or what another file says in its terms; `file` names it in errors.
/// @throws Error naming the key that is missing, wrong, or asks for what we cannot do.
TokenizerParts tokenizer_parts(const TokenizerJson& json, const std::string& file);

}  // namespace slayer
