#include "slayer/core/utf8.h"

#include <gtest/gtest.h>

namespace slayer {
namespace {

TEST(IsUtf8, TakesCharactersOfEveryLength) {
  EXPECT_TRUE(is_utf8(""));
  EXPECT_TRUE(is_utf8("a\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xef\xbf\xbf"));
  EXPECT_TRUE(is_utf8("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"));
}

TEST(IsUtf8, RefusesWhatNoCharacterHas) {
  EXPECT_FALSE(is_utf8("\x80"));
  EXPECT_FALSE(is_utf8("\xc1\x80")) << "overlong";
  EXPECT_FALSE(is_utf8("\xe0\x9f\xbf")) << "overlong";
  EXPECT_FALSE(is_utf8("\xf0\x8f\xbf\xbf")) << "overlong";
  EXPECT_FALSE(is_utf8("\xed\xa0\x80")) << "a surrogate";
  EXPECT_FALSE(is_utf8("\xf4\x90\x80\x80")) << "above U+10FFFF";
  EXPECT_FALSE(is_utf8("\xff"));
  EXPECT_FALSE(is_utf8("a\xe2\x82")) << "cut short";
  EXPECT_FALSE(is_utf8("\xe2\x82z"));
  EXPECT_FALSE(is_utf8("\xf0\x90\x80z"));
}

TEST(Utf8, RoundsTripEveryLengthOfCharacter) {
  for (const char32_t code_point :
       {U'a', U'\u00E9', U'\u2581', U'\uFFFD', U'\U0001F642', U'\U0010FFFF'}) {
    std::string text = "x";
    append_utf8(code_point, text);
    EXPECT_EQ(char_at(text, 1).code_point, code_point);
    EXPECT_EQ(char_at(text, 1).size, text.size() - 1);
    EXPECT_EQ(previous_char(text, text.size()), 1U);
    EXPECT_EQ(valid_utf8_prefix(text), text.size());
  }
}

TEST(Utf8, StopsAtIllFormedBytes) {
  EXPECT_EQ(valid_utf8_prefix("12345678\xE2\x82"), 8U);
  EXPECT_EQ(valid_utf8_prefix("\xF0\x9F\x98 12345678901"), 0U);
  EXPECT_EQ(valid_utf8_prefix("plain ascii text\xC0\x80"), 16U);
  EXPECT_EQ(valid_utf8_prefix("\xE0\x80\x80"), 0U);      // Overlong.
  EXPECT_EQ(valid_utf8_prefix("\xED\xA0\x80"), 0U);      // A surrogate.
  EXPECT_EQ(valid_utf8_prefix("\xF4\x90\x80\x80"), 0U);  // Above U+10FFFF.
  EXPECT_EQ(valid_utf8_prefix("a\xF0\x9F\x99"), 1U);     // Cut off.
}

TEST(Utf8, ReplacesEachMaximalPart) {
  EXPECT_EQ(replace_invalid_utf8("a\xF0\x9F\x99z"), "a\uFFFDz");
  EXPECT_EQ(replace_invalid_utf8("\xE0\x80\x80"), "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(replace_invalid_utf8("\xF0\x9F\x99"), "\uFFFD");
  EXPECT_EQ(replace_invalid_utf8("\xC3\xA9\xFF"), "\u00E9\uFFFD");
}

TEST(Utf8, FindsWhatLaterBytesCouldComplete) {
  EXPECT_EQ(incomplete_utf8_suffix("a\xF0\x9F\x99"), 3U);
  EXPECT_EQ(incomplete_utf8_suffix("a\xC3"), 1U);
  EXPECT_EQ(incomplete_utf8_suffix("\xC3\xA9"), 0U);
  EXPECT_EQ(incomplete_utf8_suffix("\xE0\x80"), 0U);  // No third byte makes it well-formed.
  EXPECT_EQ(incomplete_utf8_suffix(""), 0U);
}

}  // namespace
}  // namespace slayer
