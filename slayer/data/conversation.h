#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "slayer/core/json.h"

namespace slayer {

/// What the rows of a data set hold.
enum class DocumentFormat : uint8_t {
  kText,      ///< A text under the column `text_field`.
  kMessages,  ///< {"messages": [{"role", "content"}, ...]}, as OpenAI's fine-tuning files.
  kAlpaca,    ///< {"instruction", "input", "output"}, perhaps "system" and "history".
  kShareGpt   ///< {"conversations": [{"from": "human"/"gpt"/"system", "value"}, ...]}
};

/// "text", "messages", "alpaca" or "sharegpt". @throws Error for another word.
DocumentFormat document_format_from_name(std::string_view name);
std::string_view name_of(DocumentFormat format);

/// A row as a conversation: a list of {"role", "content"}, roles system, user, assistant (messages:
/// any). An alpaca input stands on the line after its instruction.
/// @param where  names the row in errors.
/// @throws Error for a row of another form, one without a turn of the assistant, an unknown role.
Json conversation_of(const Json& row, DocumentFormat format, const std::string& where);

}  // namespace slayer
