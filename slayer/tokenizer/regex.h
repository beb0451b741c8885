#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace slayer {

/// A half-open range of bytes of a text.
struct TextSpan {
  size_t begin;
  size_t end;
};

/// A regular expression as tokenizer.json files mean it (Oniguruma's Ruby syntax), run by PCRE2
/// with Unicode properties and its JIT compiler. Immutable; serves all threads. Which letters it
/// knows depends on PCRE2's version of Unicode (14 in Debian 12); patterns that matter have a
/// scanner, which does not.
class Regex final {
 public:
  /// @throws Error naming `file` and `item` where the pattern is invalid, or uses what the two
  /// libraries understand differently.
  Regex(std::string_view pattern, const std::string& file, const std::string& item);

  /// A regular expression that matches `text` and nothing else.
  static Regex literal(std::string_view text, const std::string& file, const std::string& item);

  /// Runs over the matches in a text from left to right. An empty match right after a match is
  /// passed over.
  class Matches final {
   public:
    Matches(const Regex& regex, std::string_view text);
    /// @throws Error when the pattern needs more steps or memory than a sane one does.
    std::optional<TextSpan> next();

   private:
    struct Free {
      void operator()(void* match_data) const;
    };

    const Regex& regex_;
    std::string_view text_;
    std::unique_ptr<void, Free> match_data_;
    size_t position_ = 0;
    std::optional<size_t> last_end_;
  };

 private:
  struct Compiled;

  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace slayer
