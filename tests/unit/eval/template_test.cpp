#include "slayer/eval/template.h"

#include <gtest/gtest.h>

#include "tests/support/error_message.h"

namespace slayer {
namespace {

std::string rendered(const std::string& text, const Json& fields) {
  return Template(text, "t.toml", "prompt.text").render({&fields, "rows.jsonl", 3});
}

std::string failure(const std::string& text, const Json& fields = Json::object()) {
  return message_of([&] { rendered(text, fields); });
}

TEST(Template, PutsColumnsFieldsAndElementsIn) {
  const Json row = {{"q", "why"}, {"n", 7}, {"s", {{"t", {"x", "y"}}}}};
  EXPECT_EQ(rendered("Q: {q}\n{n} {s.t[1]} {{q}}", row), "Q: why\n7 y {q}");
}

TEST(Template, AppliesFiltersInOrder) {
  const Json row = {{"q", " one_two THREE "}, {"s", "He said _ so."}};
  EXPECT_EQ(rendered("{q|strip}", row), "one_two THREE");
  EXPECT_EQ(rendered("{q|strip|spaces|capitalize}", row), "One two three");
  EXPECT_EQ(rendered("{s|before(_)}|{s|after(_)|strip}", row), "He said |so.");
  EXPECT_EQ(rendered("{s|but_last_word}|{s|last_word}", row), "He said _|so.");
  EXPECT_EQ(rendered("{w|but_last_word}|{w|last_word}", {{"w", "word"}}), "|word");
}

TEST(Template, CapitalizesAsPythonDoes) {
  EXPECT_EQ(rendered("{q|capitalize}", {{"q", "\xc3\xa9T\xc3\x89\nB"}}), "\xc3\x89t\xc3\xa9\nb");
  EXPECT_EQ(rendered("{q|capitalize}", {{"q", ""}}), "");
  EXPECT_EQ(rendered("{q|strip}", {{"q", "\xc2\xa0 a \xe3\x80\x80"}}), "a");
}

TEST(Template, NamesRowAndColumnOfWhatIsMissingOrOfAnotherType) {
  EXPECT_EQ(failure("{q}"), "rows.jsonl: row 3: column q: found nothing, expected a field q");
  EXPECT_EQ(failure("{q}", {{"q", nullptr}}),
            "rows.jsonl: row 3: column q: found nothing, expected a string or an integer");
  EXPECT_EQ(failure("{q}", {{"q", {1}}}),
            "rows.jsonl: row 3: column q: found array [1], expected a string or an integer");
  EXPECT_EQ(failure("{q[2]}", {{"q", {"a"}}}),
            "rows.jsonl: row 3: column q[2]: found array [\"a\"], expected a list with [2]");
  EXPECT_EQ(failure("{q|before(_)}", {{"q", "a"}}),
            "rows.jsonl: row 3: column q|before(_): found a, expected a _");
}

TEST(Template, NamesWhatIsWrongInItself) {
  EXPECT_EQ(
      failure("a {q"),
      "t.toml: prompt.text: found {q, expected braces in pairs ({{ and }} for braces as text)");
  EXPECT_EQ(
      failure("a }"),
      "t.toml: prompt.text: found }, expected braces in pairs ({{ and }} for braces as text)");
  EXPECT_EQ(failure("{}"), "t.toml: prompt.text: expected a column's name");
  EXPECT_EQ(failure("{a.}"), "t.toml: prompt.text: found a., expected a column's name");
  EXPECT_EQ(failure("{a[x]}"), "t.toml: prompt.text: found a[x], expected a list index like [0]");
  EXPECT_EQ(failure("{a|lower}"),
            "t.toml: prompt.text: found lower, expected one of the filters strip, capitalize, "
            "spaces, before, after, but_last_word, last_word");
  EXPECT_EQ(failure("{a|strip(x)}"),
            "t.toml: prompt.text: found strip(x), expected an argument in parentheses for before "
            "and after only");
  EXPECT_EQ(failure("{a|before}"),
            "t.toml: prompt.text: found before, expected an argument in parentheses for before and "
            "after only");
}

}  // namespace
}  // namespace slayer
