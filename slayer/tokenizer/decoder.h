#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "slayer/core/json.h"
#include "slayer/tokenizer/regex.h"

namespace slayer {

/// Makes text of tokens. Immutable.
/// Source of the meaning of each part: huggingface/tokenizers, src/decoders.
class Decoder final {
 public:
  struct ByteLevelStep {};
  struct ByteFallbackStep {};
  struct FuseStep {};
  struct ReplaceStep {
    Regex regex;
    std::string replacement;
  };
  struct StripStep {
    std::string content;  ///< One character.
    int64_t start;        ///< How many of them are taken off the front of each part, at most.
    int64_t stop;
  };
  struct MetaspaceStep {
    std::string replacement;
    bool drops_first;
  };
  using Step = std::
      variant<ByteLevelStep, ByteFallbackStep, FuseStep, ReplaceStep, StripStep, MetaspaceStep>;

  /// From tokenizer.json's "decoder"; with null, tokens are joined by spaces.
  /// @throws Error naming what it cannot do.
  Decoder(const Json& json, const std::string& file);

  /// Whether the text is the tokens' bytes one after the other, whatever stands around them.
  bool is_byte_level() const {
    return steps_.size() == 1 && std::holds_alternative<ByteLevelStep>(steps_.front());
  }

  /// The text of `tokens`; ill-formed bytes become U+FFFD.
  std::string decode(std::vector<std::string> tokens) const;

 private:
  void add(const JsonObject& json);

  std::vector<Step> steps_;
};

/// Whether a token stands for one byte, as "<0x0A>" does, to a decoder that knows such.
bool is_fallback_byte(std::string_view token);

}  // namespace slayer
