#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "slayer/checkpoint/config.h"
#include "slayer/checkpoint/gguf_writer.h"

namespace slayer {

/// Adds the metadata under "tokenizer." that the tokenizer files of a checkpoint describe: tokens,
/// types, merges or SentencePiece scores, the pre-tokenizer's name, special ids, chat template.
/// `source` names the checkpoint in errors.
/// @throws Error for files that are missing or malformed, and for a tokenizer that GGUF cannot
/// hold: not BPE, or split before merging by a rule that has no name.
void add_vocabulary(GgufWriter& writer,
                    const std::map<std::string, std::string>& side_files,
                    const ModelConfig& config,
                    const std::string& source);

}  // namespace slayer
