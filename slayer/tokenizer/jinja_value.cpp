#include "slayer/tokenizer/jinja_value.h"

#include <cmath>
#include <fmt/format.h>

namespace slayer::jinja {
namespace {

std::string float_text(double number) {
  const std::string text = fmt::format("{}", number);
  const bool is_plain = text.find_first_of(".en") == std::string::npos;
  return is_plain ? text + ".0" : text;
}

/// Python's repr() of a string, for those inside lists.
std::string quoted(const std::string& text) {
  const char quote =
      text.find('\'') != std::string::npos && text.find('"') == std::string::npos ? '"' : '\'';
  std::string result(1, quote);
  for (const char c : text) {
    if (c == '\n') {
      result += "\\n";
    } else if (c == '\t') {
      result += "\\t";
    } else if (c == '\r') {
      result += "\\r";
    } else {
      result += c == '\\' || c == quote ? std::string{'\\', c} : std::string{c};
    }
  }
  return result + quote;
}

std::string inner_text(const Json& value) {
  return value.is_string() ? quoted(value.get_ref<const std::string&>()) : to_text(value);
}

std::string list_text(const Json& list) {
  std::string text;
  for (const Json& element : list) {
    text += (text.empty() ? "" : ", ") + inner_text(element);
  }
  return "[" + text + "]";
}

std::string dict_text(const Json& dict) {
  std::string text;
  for (const auto& [key, element] : dict.items()) {
    text += (text.empty() ? "" : ", ") + quoted(key) + ": " + inner_text(element);
  }
  return "{" + text + "}";
}

/// One line, with Python's blanks behind commas and colons.
std::string compact_json(const Json& value) {
  if (!value.is_structured()) {
    return value.is_number_float() ? float_text(value.get<double>()) : compact_text(value);
  }
  std::string text;
  for (const auto& [key, element] : value.items()) {
    text += text.empty() ? "" : ", ";
    text += value.is_object() ? compact_text(Json(key)) + ": " : "";
    text += compact_json(element);
  }
  return value.is_object() ? "{" + text + "}" : "[" + text + "]";
}

}  // namespace

Value make_value(Json json) { return std::make_shared<const Json>(std::move(json)); }

Value undefined() {
  static const Value kUndefined = make_value(Json(Json::value_t::discarded));
  return kUndefined;
}

bool is_undefined(const Value& value) { return value->is_discarded(); }

bool is_true(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null:
    case Json::value_t::discarded:
      return false;
    case Json::value_t::boolean:
      return value.get<bool>();
    case Json::value_t::string:
      return !value.get_ref<const std::string&>().empty();
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned:
    case Json::value_t::number_float:
      return value.get<double>() != 0.0;
    default:
      return !value.empty();
  }
}

std::string to_text(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null:
      return "None";
    case Json::value_t::discarded:
      return "";
    case Json::value_t::boolean:
      return value.get<bool>() ? "True" : "False";
    case Json::value_t::string:
      return value.get<std::string>();
    case Json::value_t::number_float:
      return float_text(value.get<double>());
    case Json::value_t::array:
      return list_text(value);
    case Json::value_t::object:
      return dict_text(value);
    default:
      return compact_text(value);
  }
}

std::string to_json_text(const Json& value, int indent) {
  return indent < 0 ? compact_json(value) : value.dump(indent);
}

bool is_equal(const Json& left, const Json& right) {
  if (left.is_discarded() || right.is_discarded()) {
    return left.is_discarded() && right.is_discarded();
  }
  return left == right;
}

}  // namespace slayer::jinja
