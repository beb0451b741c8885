#include "slayer/core/error.h"

#include <gtest/gtest.h>

namespace slayer {
namespace {

TEST(Error, NamesFileItemFoundAndExpectedOnOneLine) {
  const Error error({.file = "config.json",
                     .item = "hidden_size",
                     .found = "-1",
                     .expected = "an integer from 1 to 9",
                     .hint = "a typo?"});
  EXPECT_STREQ(error.what(),
               "config.json: hidden_size: found -1, expected an integer from 1 to 9 (a typo?)");
}

TEST(Error, LeavesOutWhatIsNotKnown) {
  EXPECT_STREQ(Error({.file = "a", .expected = "b"}).what(), "a: expected b");
  EXPECT_STREQ(Error({.item = "x", .found = "y"}).what(), "x: found y");
}

TEST(Printable, EscapesControlCharactersAndCutsLongText) {
  EXPECT_EQ(printable("a\nb\xff"), "a\\x0ab\\xff");
  EXPECT_EQ(printable("abcdef", 3), "abc...");
}

}  // namespace
}  // namespace slayer
