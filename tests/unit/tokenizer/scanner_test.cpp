#include "slayer/tokenizer/scanner.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <random>

#include "slayer/core/error.h"
#include "slayer/core/utf8.h"
#include "slayer/tokenizer/regex.h"

namespace slayer {
namespace {

std::vector<std::string> scanned(KnownPattern pattern, const std::string& text) {
  std::vector<std::string> pieces;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = scan_piece(pattern, text, begin);
    pieces.push_back(text.substr(begin, end - begin));
    begin = end;
  }
  return pieces;
}

std::vector<std::string> matched(const Regex& regex, const std::string& text) {
  std::vector<std::string> pieces;
  Regex::Matches matches(regex, text);
  while (const auto match = matches.next()) {
    pieces.push_back(text.substr(match->begin, match->end - match->begin));
  }
  return pieces;
}

/// Characters that the patterns treat each in its own way. All are old, so that PCRE2's version of
/// Unicode does not matter.
std::string random_text(std::mt19937& random) {
  constexpr std::u32string_view kAlphabet =
      U"''''  \t\n\r\u0085\u00A0\u3000\u200B\u180Eaabsdmtlrve "
      U"SDMTLRVE\u017F\u212AABCxyz\u01C5\u02B0\u0301\u0903123\u0663\u2167\u00BD.,-_\u00E9\u0301"
      U"\u4E2D\uAC00\U0001F642\U00010400\uFFFD";
  std::string text;
  for (int i = 0; i < 30; ++i) {
    append_utf8(kAlphabet[random() % kAlphabet.size()], text);
  }
  return text;
}

class Scanner : public testing::TestWithParam<KnownPattern> {};

TEST_P(Scanner, CutsAsTheRegularExpressionDoes) {
  const Regex regex(regex_of(GetParam()), "file", "item");
  std::mt19937 random(7);
  for (int round = 0; round < 5000; ++round) {
    const std::string text = random_text(random);
    ASSERT_EQ(scanned(GetParam(), text), matched(regex, text)) << text;
  }
}

INSTANTIATE_TEST_SUITE_P(Patterns,
                         Scanner,
                         testing::Values(KnownPattern::kGpt2,
                                         KnownPattern::kLlama3,
                                         KnownPattern::kQwen2,
                                         KnownPattern::kTekken));

TEST(KnownPattern, IsFoundByItsRegularExpression) {
  EXPECT_EQ(known_pattern(regex_of(KnownPattern::kQwen2)), KnownPattern::kQwen2);
  EXPECT_EQ(known_pattern("a+"), std::nullopt);
}

TEST(Regex, FindsEmptyMatchesAsIteratorsOfRegexLibrariesDo) {
  EXPECT_EQ(matched(Regex("x*", "file", "item"), "axxb"), (std::vector<std::string>{"", "xx", ""}));
}

TEST(Regex, SeesWhiteSpaceAsUnicodeDoes) {
  EXPECT_EQ(matched(Regex("\\s+", "file", "item"), "a\u0085\u00A0\u3000b\u180E"),
            std::vector<std::string>{"\u0085\u00A0\u3000"});
}

TEST(Regex, TakesALiteralByTheLetter) {
  EXPECT_EQ(matched(Regex::literal("a.[b]\\s", "file", "item"), "a.[b]\\s axb"),
            std::vector<std::string>{"a.[b]\\s"});
}

TEST(Regex, GivesUpOnAPatternThatExplodes) {
  const Regex regex("(a|aa|aaa)*(?!b)c", "tokenizer.json", "pre_tokenizer.pattern");
  const std::string text = std::string(5000, 'a') + "bc";
  Regex::Matches matches(regex, text);
  try {
    matches.next();
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.parts().found, "a pattern that fails on a text: (a|aa|aaa)*(?!b)c");
  }
}

}  // namespace
}  // namespace slayer
