#pragma once

#include <string>

#include "slayer/data/corpus.h"
#include "slayer/tokenizer/chat_template.h"
#include "slayer/tokenizer/tokenizer.h"

namespace slayer {

/// For conversations: the chat template's text as tokens, of which only the assistant's turns are
/// to be predicted, each from behind the words that a prompt for it ends with ("<|assistant|>") to
/// its last token, the one that ends the turn included. Nothing is added to what the template says.
///
/// Where a turn begins among the tokens follows from the prompt's own tokens, which are what a
/// model sees when it is asked.
/// @param tokenizer_key  a hash of the files that define the tokenizer.
/// The encoder throws Error for a conversation that the template refuses, and where the prompt for
/// a turn is not the beginning of the whole text.
DocumentEncoder make_chat_encoder(const Tokenizer& tokenizer,
                                  const std::string& tokenizer_key,
                                  const ChatTemplate& chat_template);

}  // namespace slayer
