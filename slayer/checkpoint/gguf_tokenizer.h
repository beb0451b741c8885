#pragma once

#include <map>
#include <string>

#include "slayer/checkpoint/gguf_reader.h"
#include "slayer/core/json.h"

namespace slayer {

/// The files beside the weights that a GGUF's metadata describes, by name: tokenizer.json,
/// tokenizer_config.json (chat template byte for byte), special_tokens_map.json and
/// generation_config.json. Reads tokenizers of the kinds "gpt2" (byte-level BPE) with the
/// pre-tokenizers smollm, gpt-2, llama-bpe and qwen2, and "llama" (SentencePiece BPE).
/// @throws Error for another kind and for missing, ill-typed or contradictory metadata.
std::map<std::string, std::string> side_files_from_gguf(const GgufFile& file);

/// How byte-level text is split before BPE, by the name that GGUF has for it.
struct PreTokenizer {
  std::string_view gguf_name;
  bool ignores_merges;  ///< A whole piece that is a token is taken without merging.
  bool adds_bos;        ///< Unless the metadata says otherwise.
  Json normalizer;      ///< tokenizer.json's component, possibly null.
  Json pre_tokenizer;   ///< tokenizer.json's component.
};

/// Every byte-level pre-tokenizer that slayer knows.
const std::vector<PreTokenizer>& pre_tokenizers();

}  // namespace slayer
