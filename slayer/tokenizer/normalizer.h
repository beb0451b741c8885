#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "slayer/core/json.h"
#include "slayer/tokenizer/regex.h"

namespace slayer {

/// What happens to a text before it is cut into pieces. Immutable.
/// Source of the meaning of each part: huggingface/tokenizers, src/normalizers.
class Normalizer final {
 public:
  struct NfcStep {};
  struct PrependStep {
    std::string text;
  };
  struct ReplaceStep {
    std::string text;
    std::string replacement;
  };
  struct ReplaceRegexStep {
    Regex regex;
    std::string replacement;
  };
  using Step = std::variant<NfcStep, PrependStep, ReplaceStep, ReplaceRegexStep>;

  Normalizer() = default;

  /// From tokenizer.json's "normalizer", null included. @throws Error naming what it cannot do.
  Normalizer(const Json& json, const std::string& file);

  bool is_identity() const { return steps_.empty(); }

  /// `text` is valid UTF-8.
  std::string normalize(std::string_view text) const;

 private:
  void add(const JsonObject& json);

  std::vector<Step> steps_;
};

/// Every occurrence of `text`, which is not empty, in `subject`, from left to right, as
/// `replacement`.
std::string replace_all(std::string_view subject,
                        std::string_view text,
                        std::string_view replacement);
std::string replace_all(std::string_view subject, const Regex& regex, std::string_view replacement);

}  // namespace slayer
