#include "slayer/core/json.h"

#include <gtest/gtest.h>
#include <limits>

#include "tests/support/error_message.h"

namespace slayer {
namespace {

TEST(ParseJson, KeepsTheOrderOfKeys) {
  EXPECT_EQ(compact_text(parse_json(R"({"b": 1, "a": 2})", "f")), R"({"b":1,"a":2})");
}

TEST(ParseJson, SaysWhereItFails) {
  EXPECT_TRUE(message_of([] {
                parse_json("{\"a\": }", "f");
              }).starts_with("f: byte 7: found invalid JSON, expected JSON ("));
}

TEST(ParseJson, RefusesNumbersThatNoDoubleHolds) {
  EXPECT_EQ(message_of([] { parse_json(R"({"a": 1e999})", "f"); }),
            "f: a number: found more than a double holds, expected finite numbers");
}

TEST(ParseJson, RefusesDuplicateKeysAtAnyDepth) {
  EXPECT_EQ(message_of([] { parse_json(R"({"x": {"a": 1, "b": {"a": 1}, "a": 2}})", "f"); }),
            "f: a: found a duplicate key, expected each key once");
  EXPECT_EQ(message_of([] { parse_json(R"([{"a": 1}, {"a": 2}])", "f"); }), "no error");
}

TEST(ParseJson, RefusesDeepNesting) {
  EXPECT_EQ(message_of([] { parse_json(std::string(100000, '['), "f"); }),
            "f: JSON nesting: found more than 128 levels, expected fewer");
}

TEST(JsonObject, GivesTypedMembers) {
  const Json json =
      parse_json(R"({"i": 3, "d": 0.5, "b": true, "s": "x", "o": {"k": 1}, "n": null})", "f");
  const JsonObject object(json, "f");
  EXPECT_EQ(object.integer("i", 0, 9), 3);
  EXPECT_EQ(object.number("d"), 0.5);
  EXPECT_TRUE(object.boolean("b"));
  EXPECT_EQ(object.string("s"), "x");
  EXPECT_EQ(object.object("o").integer("k", 0, 9), 1);
  EXPECT_FALSE(object.has("n"));
  EXPECT_EQ(object.integer_or("n", 0, 9, 7), 7);
}

TEST(JsonObject, NamesFileKeyFoundAndExpected) {
  const Json json = parse_json(R"({"o": {"k": "x", "big": 18446744073709551615, "f": 1.0}})", "f");
  const JsonObject object = JsonObject(json, "f").object("o");
  EXPECT_EQ(message_of([&] { object.integer("k", 1, 5); }),
            "f: o.k: found \"x\", expected an integer from 1 to 5");
  EXPECT_EQ(
      message_of([&] { object.integer("big", 0, std::numeric_limits<int64_t>::max()); }),
      "f: o.big: found 18446744073709551615, expected an integer from 0 to 9223372036854775807");
  EXPECT_EQ(message_of([&] { object.integer("f", 1, 5); }),
            "f: o.f: found 1.0, expected an integer from 1 to 5");
  EXPECT_EQ(message_of([&] { object.string("none"); }),
            "f: o.none: found nothing, expected this key");
  EXPECT_EQ(message_of([&] { object.boolean("k"); }),
            "f: o.k: found \"x\", expected true or false");
  EXPECT_EQ(message_of([&] { object.number("k"); }), "f: o.k: found \"x\", expected a number");
  EXPECT_EQ(message_of([&] { object.array("k"); }), "f: o.k: found \"x\", expected an array");
  EXPECT_EQ(message_of([&] { object.object("k"); }), "f: o.k: found \"x\", expected a JSON object");
}

TEST(JsonObject, NamesTheNearestKnownKey) {
  const Json json = parse_json(R"({"strategi": 1})", "f");
  const JsonObject object(json, "f");
  EXPECT_EQ(message_of([&] { object.refuse_unknown_keys({"strategy", "layers"}); }),
            "f: strategi: found an unknown key, expected perhaps \"strategy\"");
  EXPECT_EQ(message_of([&] { object.refuse_unknown_keys({"x", "layers"}); }),
            "f: strategi: found an unknown key, expected one of x, layers");
}

}  // namespace
}  // namespace slayer
