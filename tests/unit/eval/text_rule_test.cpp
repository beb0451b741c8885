#include "slayer/eval/text_rule.h"

#include <gtest/gtest.h>

#include "tests/support/error_message.h"

namespace slayer {
namespace {

TEST(TextPattern, FindsMatchesWithTheirGroups) {
  const TextPattern pattern(R"((a)(b)?|\b)", "", "");
  const auto matches = pattern.find_all("ab \xc3\xa9");
  ASSERT_EQ(matches.size(), 4U);
  EXPECT_EQ(matches[0], (std::vector<std::string>{"ab", "a", "b"}));
  EXPECT_EQ(matches[1], (std::vector<std::string>{"", "", ""}));  // The end of the word.
}

TEST(TextPattern, ReplacesAllAndGrowsTheResult) {
  const TextPattern pattern(R"(\(\s*(.*?)\s*\))", "", "");
  EXPECT_EQ(pattern.replace_all("( a ) ($) (b)", "[$1]"), "[a] [$] [b]");
  EXPECT_EQ(TextPattern("x", "", "").replace_all(std::string(1000, 'x'), "yy"),
            std::string(2000, 'y'));
}

TEST(TextPattern, NamesWhereThePatternIsInvalid) {
  EXPECT_EQ(message_of([] { TextPattern("a(b", "t.toml", "clean[0].pattern"); }),
            "t.toml: clean[0].pattern: found a(b, expected a regular expression (missing closing "
            "parenthesis at byte 3)");
}

TEST(TextRules, ReplaceOnceFromLeftToRightAndInOrder) {
  const std::vector<TextRule> rules{{.literal = "  ", .pattern = {}, .with = " "},
                                    {.literal = "ab", .pattern = {}, .with = "b"}};
  EXPECT_EQ(apply_rules("    aab", rules), "  ab");
}

TEST(CodePoints, CountsCharactersNotBytes) {
  EXPECT_EQ(code_points("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), 4);
}

}  // namespace
}  // namespace slayer
