#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "slayer/tokenizer/added_tokens.h"
#include "slayer/tokenizer/bpe.h"
#include "slayer/tokenizer/decoder.h"
#include "slayer/tokenizer/normalizer.h"
#include "slayer/tokenizer/post_processor.h"
#include "slayer/tokenizer/pre_tokenizer.h"
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

/// From the text of a tokenizer.json; `file` names it in errors.
/// @throws Error naming the key that is missing, wrong, or asks for what we cannot do.
TokenizerParts parts_from_tokenizer_json(std::string_view text, const std::string& file);

}  // namespace slayer
