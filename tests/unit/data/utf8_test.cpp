#include "slayer/data/utf8.h"

#include <gtest/gtest.h>
#include <string>

namespace slayer {
namespace {

TEST(FindInvalidUtf8, AcceptsEveryLength) {
  EXPECT_EQ(find_invalid_utf8(""), std::nullopt);
  EXPECT_EQ(find_invalid_utf8("plain text of more than eight bytes"), std::nullopt);
  EXPECT_EQ(find_invalid_utf8("\xC3\xA4 \xE2\x82\xAC \xF0\x9F\x98\x80 \xF4\x8F\xBF\xBF"),
            std::nullopt);
}

TEST(FindInvalidUtf8, GivesTheOffsetOfTheBadCharacter) {
  EXPECT_EQ(find_invalid_utf8("abc\xFF"), 3U);
  EXPECT_EQ(find_invalid_utf8("a\x80"), 1U);                     // a continuation alone
  EXPECT_EQ(find_invalid_utf8("\xC0\xAF"), 0U);                  // overlong in two bytes
  EXPECT_EQ(find_invalid_utf8("\xE0\x9F\xBF"), 0U);              // overlong in three
  EXPECT_EQ(find_invalid_utf8("\xED\xA0\x80"), 0U);              // a surrogate
  EXPECT_EQ(find_invalid_utf8("\xF4\x90\x80\x80"), 0U);          // beyond U+10FFFF
  EXPECT_EQ(find_invalid_utf8("\xF5\x80\x80\x80"), 0U);          // no such lead byte
  EXPECT_EQ(find_invalid_utf8("12345678\xE2\x82"), 8U);          // cut off
  EXPECT_EQ(find_invalid_utf8("\xF0\x9F\x98 12345678901"), 0U);  // interrupted
}

}  // namespace
}  // namespace slayer
