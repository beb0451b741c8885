#include "slayer/data/conversation.h"

#include <gtest/gtest.h>

#include "tests/support/error_message.h"

namespace slayer {
namespace {

std::string converted(const char* row, DocumentFormat format) {
  return compact_text(conversation_of(parse_json(row, "test"), format, "a.jsonl:1"));
}

std::string refusal(const char* row, DocumentFormat format) {
  return message_of([&] { converted(row, format); });
}

TEST(Conversation, ComesFromMessages) {
  EXPECT_EQ(
      converted(
          R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]})",
          DocumentFormat::kMessages),
      R"([{"role":"user","content":"a"},{"role":"assistant","content":"b"}])");
}

TEST(Conversation, ComesFromAlpaca) {
  EXPECT_EQ(converted(R"({"instruction": "Add", "input": "1 and 2", "output": "3", "system": "S",
                          "history": [["q", "r"]]})",
                      DocumentFormat::kAlpaca),
            R"([{"role":"system","content":"S"},{"role":"user","content":"q"},)"
            R"({"role":"assistant","content":"r"},{"role":"user","content":"Add\n1 and 2"},)"
            R"({"role":"assistant","content":"3"}])");
}

TEST(Conversation, ComesFromShareGpt) {
  EXPECT_EQ(converted(R"({"conversations": [{"from": "system", "value": "S"},
                          {"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]})",
                      DocumentFormat::kShareGpt),
            R"([{"role":"system","content":"S"},{"role":"user","content":"a"},)"
            R"({"role":"assistant","content":"b"}])");
}

TEST(Conversation, NamesWhatIsWrong) {
  EXPECT_EQ(
      refusal(R"({"messages": [{"role": "user", "content": "a"}]})", DocumentFormat::kMessages),
      "a.jsonl:1: found a conversation without an assistant's turn, expected something to "
      "learn");
  EXPECT_EQ(
      refusal(R"({"conversations": [{"from": "cat", "value": "a"}]})", DocumentFormat::kShareGpt),
      "a.jsonl:1: conversations[].from: found \"cat\", expected human, gpt or system");
  EXPECT_EQ(
      refusal(R"({"instruction": "a", "output": "b", "history": ["c"]})", DocumentFormat::kAlpaca),
      "a.jsonl:1: history: found \"c\", expected pairs of a question and an answer");
}

TEST(DocumentFormat, HasNames) {
  for (const char* name : {"text", "messages", "alpaca", "sharegpt"}) {
    EXPECT_EQ(name_of(document_format_from_name(name)), name);
  }
  EXPECT_EQ(message_of([] { document_format_from_name("chat"); }),
            "--format: found \"chat\", expected text, messages, alpaca or sharegpt");
}

}  // namespace
}  // namespace slayer
