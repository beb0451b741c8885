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
  EXPECT_EQ(printable("\xc2\x85\xe2\x80\xae"), "\\xc2\\x85\\xe2\\x80\\xae")
      << "C1 and a bidi override";
  EXPECT_EQ(printable("Gesetz \u00a7 7 \u6cd5", 10), "Gesetz \u00a7 7...")
      << "characters are counted, not bytes";
  EXPECT_EQ(printable("abcdef", 3), "abc...");
}

}  // namespace
}  // namespace slayer
