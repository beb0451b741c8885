#include "slayer/core/toml.h"

#include <gtest/gtest.h>

#include "slayer/core/error.h"

namespace slayer {
namespace {

std::string message_of(std::string_view text) {
  try {
    parse_toml(text, "a.toml");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Toml, BecomesJsonInTheOrderOfTheFile) {
  const Json json = parse_toml(
      "z = 1\na = [1.5, 'x', true]\n[t]\nn = \"line\\n\"\n[[rules]]\nb = 2\n[[rules]]\n", "a.toml");
  EXPECT_EQ(compact_text(json),
            R"({"z":1,"a":[1.5,"x",true],"t":{"n":"line\n"},"rules":[{"b":2},{}]})");
}

TEST(Toml, NamesLineAndColumnOfWhatIsWrong) {
  const std::string message = message_of("a = 1\nb = = 2\n");
  EXPECT_TRUE(message.starts_with("a.toml: line 2, column 5: found invalid TOML, expected TOML ("))
      << message;
  EXPECT_EQ(message_of("day = 2024-01-01"),
            "a.toml: line 1, column 7: found a date or time, expected a string, number, boolean, "
            "array or table");
}

}  // namespace
}  // namespace slayer
