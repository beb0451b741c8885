#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace slayer {

/// A Perl-compatible regular expression over UTF-8 text. Copies share the compiled pattern.
class TextPattern final {
 public:
  /// @throws Error naming `file` and `item` where the pattern is invalid.
  TextPattern(const std::string& pattern, const std::string& file, const std::string& item);

  /// Every match from left to right, each as its groups: the whole first, "" for one that took no
  /// part.
  std::vector<std::vector<std::string>> find_all(std::string_view text) const;

  /// Every match replaced. In the replacement `$1` is the first group, `$$` a dollar, `\U`, `\L`
  /// and `\E` begin upper case, lower case and neither (PCRE2's extended substitution).
  std::string replace_all(std::string_view text, const std::string& replacement) const;

 private:
  struct Code;
  std::shared_ptr<const Code> code_;
};

/// One step of cleaning a text: every occurrence of a literal or of a pattern becomes something
/// else.
struct TextRule {
  std::string literal = {};                 ///< Used where there is no pattern.
  std::optional<TextPattern> pattern = {};  ///< TOML: `pattern` instead of `replace`.
  std::string with = {};
};

/// Applies the rules in order.
std::string apply_rules(std::string text, const std::vector<TextRule>& rules);

/// Python's str.strip(), on valid UTF-8.
std::string strip(std::string_view text);

/// Python's str.rstrip().
std::string_view strip_end(std::string_view text);

/// Python's str.capitalize(): the first character upper case, all others lower.
std::string capitalize(std::string_view text);

/// Unicode code points of valid UTF-8: Python's len(str).
int64_t code_points(std::string_view text);

}  // namespace slayer
