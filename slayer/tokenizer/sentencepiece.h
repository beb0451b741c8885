#pragma once

#include <string>
#include <string_view>

#include "slayer/core/json.h"
#include "slayer/tokenizer/tokenizer_json.h"

namespace slayer {

/// What transformers' LlamaTokenizer makes of a SentencePiece model (tokenizer.model), in the terms
/// of tokenizer.json: BPE with byte fallback, spaces as U+2581.
///
/// @param model   the protobuf's bytes, hostile; `file` names it in errors.
/// @param config  tokenizer_config.json, {} where there is none: add_bos_token (true unless said),
///                add_eos_token, legacy, add_prefix_space, the special tokens' names and
///                added_tokens_decoder are read; `config_file` names it in errors.
/// @throws Error when the bytes are no such model, or it is not a BPE model without normalization.
/// Source: transformers 5, models/llama/tokenization_llama.py and convert_slow_tokenizer.py.
TokenizerJson tokenizer_json_from_sentencepiece(std::string_view model,
                                                const std::string& file,
                                                const Json& config,
                                                const std::string& config_file);

}  // namespace slayer
