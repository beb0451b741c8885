#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "slayer/core/json.h"

namespace slayer {

/// A checkpoint's chat template: what turns a conversation into the text that the model was taught.
/// The part of Jinja that chat templates use; equal to transformers' apply_chat_template byte for
/// byte. Immutable; copies share what was parsed.
class ChatTemplate final {
 public:
  /// @param source  the template's text. @param special_tokens  {"bos_token": "<s>", ...}.
  /// @param name  names the template in errors.
  /// @throws Error naming the line of what is not in the subset.
  ChatTemplate(const std::string& source, Json special_tokens, const std::string& name);

  /// The template among a checkpoint's side files: chat_template.jinja, else the key chat_template
  /// of tokenizer_config.json (of several the one named default). `source` names the checkpoint.
  /// @throws Error when there is none.
  static ChatTemplate from_side_files(const std::map<std::string, std::string>& files,
                                      const std::string& source);

  /// @param messages  a list of {"role", "content"}.
  /// @param add_generation_prompt  ends with what the assistant's turn begins with.
  /// @throws Error when the template refuses the conversation.
  std::string render(const Json& messages, bool add_generation_prompt) const;

  const std::string& text() const;  ///< Its source.

 private:
  struct Parsed;
  std::shared_ptr<const Parsed> parsed_;
};

}  // namespace slayer
