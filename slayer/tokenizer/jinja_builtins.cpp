#include "slayer/tokenizer/jinja_builtins.h"

#include <algorithm>
#include <fmt/format.h>
#include <functional>
#include <stdexcept>

namespace slayer::jinja {
namespace {

constexpr std::string_view kSpace = " \t\n\r\v\f";

const std::string& text_of(std::string_view what, const Value& value) {
  if (!value->is_string()) {
    throw std::invalid_argument(fmt::format("{} of {}", what, value->type_name()));
  }
  return value->get_ref<const std::string&>();
}

std::string strip(const std::string& text, std::string_view characters, bool left, bool right) {
  size_t begin = 0;
  size_t end = text.size();
  while (left && begin < end && characters.find(text[begin]) != std::string_view::npos) {
    ++begin;
  }
  while (right && end > begin && characters.find(text[end - 1]) != std::string_view::npos) {
    --end;
  }
  return text.substr(begin, end - begin);
}

std::string characters_argument(const Arguments& arguments) {
  const Value given = arguments.get(0, "chars");
  return given->is_string() ? given->get<std::string>() : std::string(kSpace);
}

/// ASCII only: templates change the case of roles and keys, not of prose.
std::string with_case(std::string text, bool upper) {
  for (char& c : text) {
    if (upper && c >= 'a' && c <= 'z') {
      c = static_cast<char>(c - 'a' + 'A');
    } else if (!upper && c >= 'A' && c <= 'Z') {
      c = static_cast<char>(c - 'A' + 'a');
    }
  }
  return text;
}

std::string capitalized(const std::string& text) {
  return with_case(text.substr(0, 1), true) +
         (text.empty() ? "" : with_case(text.substr(1), false));
}

std::string titled(const std::string& text) {
  std::string result = with_case(text, false);
  bool is_start = true;
  for (char& c : result) {
    const bool is_letter = (c >= 'a' && c <= 'z') || static_cast<unsigned char>(c) >= 0x80;
    if (is_letter && is_start) {
      c = with_case(std::string(1, c), true).front();
    }
    is_start = !is_letter;
  }
  return result;
}

std::string replaced(std::string text, const std::string& old, const std::string& fresh) {
  if (old.empty()) {
    throw std::invalid_argument("replacing an empty string");
  }
  for (size_t at = text.find(old); at != std::string::npos;
       at = text.find(old, at + fresh.size())) {
    text.replace(at, old.size(), fresh);
  }
  return text;
}

Json split(const std::string& text, const Value& separator) {
  Json parts = Json::array();
  if (!separator->is_string()) {  // at any white space
    for (size_t begin = text.find_first_not_of(kSpace); begin != std::string::npos;) {
      const size_t end = std::min(text.find_first_of(kSpace, begin), text.size());
      parts.push_back(text.substr(begin, end - begin));
      begin = text.find_first_not_of(kSpace, end);
    }
    return parts;
  }
  const std::string& by = text_of("split", separator);
  if (by.empty()) {
    throw std::invalid_argument("splitting at an empty string");
  }
  size_t begin = 0;
  for (size_t end = text.find(by); end != std::string::npos; end = text.find(by, begin)) {
    parts.push_back(text.substr(begin, end - begin));
    begin = end + by.size();
  }
  parts.push_back(text.substr(begin));
  return parts;
}

/// startswith and endswith take one string or a list of them.
bool has_affix(const std::string& text, const Value& affix, bool at_start) {
  const auto has = [&](const Json& one) {
    const auto& part = one.get_ref<const std::string&>();
    return at_start ? text.starts_with(part) : text.ends_with(part);
  };
  return affix->is_array() ? std::ranges::any_of(*affix, has)
                           : has(Json(text_of(at_start ? "startswith" : "endswith", affix)));
}

Json items_of(const Json& dict) {
  if (!dict.is_object()) {
    throw std::invalid_argument(fmt::format("items of {}", dict.type_name()));
  }
  Json pairs = Json::array();
  for (const auto& [key, element] : dict.items()) {
    pairs.push_back({key, element});
  }
  return pairs;
}

int64_t length_of(const Value& value) {
  if (value->is_string()) {
    return std::ranges::count_if(value->get_ref<const std::string&>(), [](char c) {
      return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
    });
  }
  if (!value->is_structured()) {
    throw std::invalid_argument(fmt::format("length of {}", value->type_name()));
  }
  return static_cast<int64_t>(value->size());
}

/// What a filter over a list looks at: a dict's keys, a string's characters.
Json elements_of(const Value& value) {
  if (value->is_array()) {
    return *value;
  }
  Json elements = Json::array();
  if (value->is_object()) {
    for (const auto& [key, element] : value->items()) {
      elements.push_back(key);
    }
    return elements;
  }
  if (value->is_discarded()) {
    return elements;
  }
  for (int64_t i = 0; i < length_of(value); ++i) {
    elements.push_back(*item(value, make_value(i)));
  }
  return elements;
}

std::string joined(const Value& value, const Arguments& arguments) {
  const std::string separator = to_text(*arguments.get(0, "d"));
  std::string text;
  bool is_first = true;
  for (const Json& element : elements_of(value)) {
    text += (is_first ? "" : separator) + to_text(element);
    is_first = false;
  }
  return text;
}

/// selectattr and rejectattr: (attribute, test, argument).
Json select_by_attribute(const Value& value, const Arguments& arguments, bool keeps) {
  Json kept = Json::array();
  for (const Json& element : elements_of(value)) {
    const Value part = item(make_value(element), arguments.get(0));
    const Value test = arguments.get(1);
    const bool passes = is_undefined(test)
                            ? is_true(*part)
                            : apply_test(text_of("a test's name", test),
                                         part,
                                         {.positional = {arguments.get(2)}, .named = {}});
    if (passes == keeps) {
      kept.push_back(element);
    }
  }
  return kept;
}

Json mapped(const Value& value, const Arguments& arguments) {
  const Value attribute = arguments.get(1000, "attribute");
  Json results = Json::array();
  for (const Json& element : elements_of(value)) {
    const Value one = make_value(element);
    results.push_back(is_undefined(attribute)
                          ? *apply_filter(text_of("a filter's name", arguments.get(0)), one, {})
                          : *item(one, attribute));
  }
  return results;
}

Json end_of(const Value& value, bool first) {
  Json elements = elements_of(value);
  return elements.empty() ? Json(Json::value_t::discarded)
                          : (first ? elements.front() : elements.back());
}

Json as_integer(const Json& value) {
  if (value.is_string()) {
    try {
      return std::stoll(value.get_ref<const std::string&>());
    } catch (const std::logic_error&) {
      return 0;
    }
  }
  return value.is_number() ? Json(value.get<int64_t>()) : Json(0);
}

std::string indented(const std::string& text, const Arguments& arguments) {
  const Value width = arguments.get(0, "width");
  const int64_t columns =
      width->is_number_integer() ? std::clamp<int64_t>(width->get<int64_t>(), 0, 1000) : 4;
  const std::string blanks(static_cast<size_t>(columns), ' ');
  std::string result = is_true(*arguments.get(1, "first")) ? blanks : "";
  for (size_t i = 0; i < text.size(); ++i) {
    result += text[i];
    if (text[i] == '\n' && i + 1 < text.size() && text[i + 1] != '\n') {
      result += blanks;
    }
  }
  return result;
}

int indent_argument(const Arguments& arguments) {
  const Value indent = arguments.get(0, "indent");
  return indent->is_number_integer()
             ? static_cast<int>(std::clamp<int64_t>(indent->get<int64_t>(), 0, 100))
             : -1;
}

Json default_of(const Value& value, const Arguments& arguments) {
  const bool replaces =
      is_undefined(value) || (is_true(*arguments.get(1, "boolean")) && !is_true(*value));
  const Value fallback = arguments.get(0, "default_value");
  return replaces ? (is_undefined(fallback) ? Json("") : *fallback) : *value;
}

using Filter = std::function<Json(const Value&, const Arguments&)>;

const std::map<std::string_view, Filter>& filters() {
  static const std::map<std::string_view, Filter> kFilters{
      {"trim",
       [](const Value& v, const Arguments& a) {
         return strip(to_text(*v), characters_argument(a), true, true);
       }},
      {"length", [](const Value& v, const Arguments&) { return Json(length_of(v)); }},
      {"count", [](const Value& v, const Arguments&) { return Json(length_of(v)); }},
      {"tojson",
       [](const Value& v, const Arguments& a) { return to_json_text(*v, indent_argument(a)); }},
      {"string", [](const Value& v, const Arguments&) { return to_text(*v); }},
      {"upper", [](const Value& v, const Arguments&) { return with_case(to_text(*v), true); }},
      {"lower", [](const Value& v, const Arguments&) { return with_case(to_text(*v), false); }},
      {"capitalize", [](const Value& v, const Arguments&) { return capitalized(to_text(*v)); }},
      {"title", [](const Value& v, const Arguments&) { return titled(to_text(*v)); }},
      {"safe", [](const Value& v, const Arguments&) { return to_text(*v); }},
      {"int", [](const Value& v, const Arguments&) { return as_integer(*v); }},
      {"first", [](const Value& v, const Arguments&) { return end_of(v, true); }},
      {"last", [](const Value& v, const Arguments&) { return end_of(v, false); }},
      {"list", [](const Value& v, const Arguments&) { return elements_of(v); }},
      {"items", [](const Value& v, const Arguments&) { return items_of(*v); }},
      {"dictsort",
       [](const Value& v, const Arguments&) {
         Json pairs = items_of(*v);
         std::sort(pairs.begin(), pairs.end());
         return pairs;
       }},
      {"reverse",
       [](const Value& v, const Arguments&) {
         Json elements = elements_of(v);
         std::reverse(elements.begin(), elements.end());
         return elements;
       }},
      {"join", [](const Value& v, const Arguments& a) { return joined(v, a); }},
      {"replace",
       [](const Value& v, const Arguments& a) {
         return replaced(to_text(*v), to_text(*a.get(0, "old")), to_text(*a.get(1, "new")));
       }},
      {"indent", [](const Value& v, const Arguments& a) { return indented(to_text(*v), a); }},
      {"default", default_of},
      {"d", default_of},
      {"map", mapped},
      {"selectattr",
       [](const Value& v, const Arguments& a) { return select_by_attribute(v, a, true); }},
      {"rejectattr",
       [](const Value& v, const Arguments& a) { return select_by_attribute(v, a, false); }}};
  return kFilters;
}

using Method = std::function<Json(const std::string&, const Arguments&)>;

const std::map<std::string_view, Method>& string_methods() {
  static const std::map<std::string_view, Method> kMethods{
      {"strip",
       [](const std::string& t, const Arguments& a) {
         return strip(t, characters_argument(a), true, true);
       }},
      {"lstrip",
       [](const std::string& t, const Arguments& a) {
         return strip(t, characters_argument(a), true, false);
       }},
      {"rstrip",
       [](const std::string& t, const Arguments& a) {
         return strip(t, characters_argument(a), false, true);
       }},
      {"upper", [](const std::string& t, const Arguments&) { return with_case(t, true); }},
      {"lower", [](const std::string& t, const Arguments&) { return with_case(t, false); }},
      {"title", [](const std::string& t, const Arguments&) { return titled(t); }},
      {"capitalize", [](const std::string& t, const Arguments&) { return capitalized(t); }},
      {"split", [](const std::string& t, const Arguments& a) { return split(t, a.get(0, "sep")); }},
      {"startswith",
       [](const std::string& t, const Arguments& a) { return Json(has_affix(t, a.get(0), true)); }},
      {"endswith",
       [](const std::string& t, const Arguments& a) {
         return Json(has_affix(t, a.get(0), false));
       }},
      {"find",
       [](const std::string& t, const Arguments& a) {
         const size_t at = t.find(text_of("find", a.get(0)));
         return Json(at == std::string::npos ? int64_t{-1} : static_cast<int64_t>(at));
       }},
      {"replace", [](const std::string& t, const Arguments& a) {
         return replaced(t, text_of("replace", a.get(0)), text_of("replace", a.get(1)));
       }}};
  return kMethods;
}

Value call_dict_method(std::string_view name, const Value& dict, const Arguments& arguments) {
  if (name == "items") {
    return make_value(items_of(*dict));
  }
  if (name == "keys") {
    return make_value(elements_of(dict));
  }
  if (name == "values") {
    Json values = Json::array();
    for (const Json& element : *dict) {
      values.push_back(element);
    }
    return make_value(std::move(values));
  }
  if (name == "get") {
    const Value found = item(dict, arguments.get(0));
    const Value fallback = arguments.get(1, "default");
    return !is_undefined(found) ? found : is_undefined(fallback) ? make_value(nullptr) : fallback;
  }
  throw std::invalid_argument(fmt::format("the method {} of a dict", name));
}

using Test = std::function<bool(const Value&, const Arguments&)>;

const std::map<std::string_view, Test>& tests() {
  static const std::map<std::string_view, Test> kTests{
      {"defined", [](const Value& v, const Arguments&) { return !is_undefined(v); }},
      {"undefined", [](const Value& v, const Arguments&) { return is_undefined(v); }},
      {"none", [](const Value& v, const Arguments&) { return v->is_null(); }},
      {"string", [](const Value& v, const Arguments&) { return v->is_string(); }},
      {"number",
       [](const Value& v, const Arguments&) { return v->is_number() || v->is_boolean(); }},
      {"integer", [](const Value& v, const Arguments&) { return v->is_number_integer(); }},
      {"float", [](const Value& v, const Arguments&) { return v->is_number_float(); }},
      {"boolean", [](const Value& v, const Arguments&) { return v->is_boolean(); }},
      {"true", [](const Value& v, const Arguments&) { return v->is_boolean() && is_true(*v); }},
      {"false", [](const Value& v, const Arguments&) { return v->is_boolean() && !is_true(*v); }},
      {"mapping", [](const Value& v, const Arguments&) { return v->is_object(); }},
      {"sequence",
       [](const Value& v, const Arguments&) { return v->is_structured() || v->is_string(); }},
      {"iterable",
       [](const Value& v, const Arguments&) {
         return v->is_structured() || v->is_string() || is_undefined(v);
       }},
      {"equalto", [](const Value& v, const Arguments& a) { return is_equal(*v, *a.get(0)); }},
      {"eq", [](const Value& v, const Arguments& a) { return is_equal(*v, *a.get(0)); }},
      {"ne", [](const Value& v, const Arguments& a) { return !is_equal(*v, *a.get(0)); }},
      {"in",
       [](const Value& v, const Arguments& a) {
         return is_true(*apply_operator("in", v, a.get(0)));
       }},
      {"even",
       [](const Value& v, const Arguments&) {
         return v->is_number_integer() && v->get<int64_t>() % 2 == 0;
       }},
      {"odd",
       [](const Value& v, const Arguments&) {
         return v->is_number_integer() && v->get<int64_t>() % 2 != 0;
       }},
      {"divisibleby", [](const Value& v, const Arguments& a) {
         return is_equal(*apply_operator("%", v, a.get(0)), Json(0));
       }}};
  return kTests;
}

}  // namespace

Value Arguments::get(size_t index, const std::string& name) const {
  if (index < positional.size()) {
    return positional[index];
  }
  const auto found = named.find(name);
  return found == named.end() ? undefined() : found->second;
}

Value apply_filter(std::string_view name, const Value& value, const Arguments& arguments) {
  const auto filter = filters().find(name);
  if (filter == filters().end()) {
    throw std::invalid_argument(fmt::format("the filter {}", name));
  }
  return make_value(filter->second(value, arguments));
}

bool apply_test(std::string_view name, const Value& value, const Arguments& arguments) {
  const auto test = tests().find(name);
  if (test == tests().end()) {
    throw std::invalid_argument(fmt::format("the test {}", name));
  }
  return test->second(value, arguments);
}

Value call_method(std::string_view name, const Value& value, const Arguments& arguments) {
  if (value->is_object()) {
    return call_dict_method(name, value, arguments);
  }
  const auto method = string_methods().find(name);
  if (!value->is_string() || method == string_methods().end()) {
    throw std::invalid_argument(fmt::format("the method {} of {}", name, value->type_name()));
  }
  return make_value(method->second(value->get_ref<const std::string&>(), arguments));
}

}  // namespace slayer::jinja
