#include "slayer/data/conversation.h"

#include <algorithm>
#include <array>
#include <utility>

#include "slayer/core/error.h"

namespace slayer {
namespace {

constexpr std::array<std::pair<DocumentFormat, std::string_view>, 4> kNames{
    {{DocumentFormat::kText, "text"},
     {DocumentFormat::kMessages, "messages"},
     {DocumentFormat::kAlpaca, "alpaca"},
     {DocumentFormat::kShareGpt, "sharegpt"}}};

Json message(std::string_view role, std::string content) {
  return {{"role", role}, {"content", std::move(content)}};
}

Json from_messages(const JsonObject& row, const std::string& where) {
  Json messages = Json::array();
  for (const Json& entry : row.array("messages")) {
    const JsonObject given(entry, where, "messages[]");
    given.string("role");
    given.string("content");
    messages.push_back(entry);
  }
  return messages;
}

Json from_alpaca(const JsonObject& row) {
  Json messages = Json::array();
  if (const std::string system = row.string_or("system", ""); !system.empty()) {
    messages.push_back(message("system", system));
  }
  if (row.has("history")) {
    for (const Json& turn : row.array("history")) {
      if (!turn.is_array() || turn.size() != 2 || !turn[0].is_string() || !turn[1].is_string()) {
        row.fail("history", printable(compact_text(turn)), "pairs of a question and an answer");
      }
      messages.push_back(message("user", turn[0]));
      messages.push_back(message("assistant", turn[1]));
    }
  }
  const std::string input = row.string_or("input", "");
  messages.push_back(
      message("user", row.string("instruction") + (input.empty() ? "" : "\n" + input)));
  messages.push_back(message("assistant", row.string("output")));
  return messages;
}

Json from_sharegpt(const JsonObject& row, const std::string& where) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kRoles{
      {{"human", "user"},
       {"user", "user"},
       {"gpt", "assistant"},
       {"assistant", "assistant"},
       {"system", "system"},
       {"chatgpt", "assistant"}}};
  Json messages = Json::array();
  for (const Json& entry : row.array("conversations")) {
    const JsonObject turn(entry, where, "conversations[]");
    const std::string from = turn.string("from");
    const auto* const role =
        std::ranges::find(kRoles, from, [](const auto& pair) { return pair.first; });
    if (role == kRoles.end()) {
      turn.fail("from", "\"" + printable(from) + "\"", "human, gpt or system");
    }
    messages.push_back(message(role->second, turn.string("value")));
  }
  return messages;
}

}  // namespace

DocumentFormat document_format_from_name(std::string_view name) {
  const auto* const found = std::ranges::find(kNames, name, [](const auto& n) { return n.second; });
  if (found == kNames.end()) {
    throw Error({.file = "--format",
                 .found = "\"" + printable(name) + "\"",
                 .expected = "text, messages, alpaca or sharegpt"});
  }
  return found->first;
}

std::string_view name_of(DocumentFormat format) {
  return std::ranges::find(kNames, format, [](const auto& n) { return n.first; })->second;
}

Json conversation_of(const Json& row, DocumentFormat format, const std::string& where) {
  const JsonObject object(row, where);
  Json messages = format == DocumentFormat::kAlpaca     ? from_alpaca(object)
                  : format == DocumentFormat::kShareGpt ? from_sharegpt(object, where)
                                                        : from_messages(object, where);
  const bool has_answer =
      std::ranges::any_of(messages, [](const Json& turn) { return turn["role"] == "assistant"; });
  if (!has_answer) {
    throw Error({.file = where,
                 .found = "a conversation without an assistant's turn",
                 .expected = "something to learn"});
  }
  return messages;
}

}  // namespace slayer
