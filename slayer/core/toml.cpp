#include "slayer/core/toml.h"

#include <algorithm>
#include <fmt/format.h>
#include <toml++/toml.h>
#include <utility>
#include <vector>

#include "slayer/core/error.h"
#include "slayer/core/file.h"

namespace slayer {
namespace {

std::string place(const std::string& file, const toml::source_region& source) {
  return fmt::format("{}: line {}, column {}", file, source.begin.line, source.begin.column);
}

Json to_json(const toml::node& node, const std::string& file) {
  if (const auto* table = node.as_table()) {
    // toml++ sorts keys; the file's order is kept by where the values stand.
    std::vector<std::pair<const toml::key*, const toml::node*>> members;
    for (const auto& [key, value] : *table) {
      members.emplace_back(&key, &value);
    }
    std::ranges::sort(members, [](const auto& a, const auto& b) {
      const auto& left = a.first->source().begin;
      const auto& right = b.first->source().begin;
      return std::pair(left.line, left.column) < std::pair(right.line, right.column);
    });
    Json object = Json::object();
    for (const auto& [key, value] : members) {
      object[std::string(key->str())] = to_json(*value, file);
    }
    return object;
  }
  if (const auto* array = node.as_array()) {
    Json elements = Json::array();
    for (const toml::node& element : *array) {
      elements.push_back(to_json(element, file));
    }
    return elements;
  }
  if (const auto* text = node.as_string()) {
    return text->get();
  }
  if (const auto* integer = node.as_integer()) {
    return integer->get();
  }
  if (const auto* number = node.as_floating_point()) {
    return number->get();
  }
  if (const auto* boolean = node.as_boolean()) {
    return boolean->get();
  }
  throw Error({.file = place(file, node.source()),
               .found = "a date or time",
               .expected = "a string, number, boolean, array or table"});
}

}  // namespace

Json parse_toml(std::string_view text, const std::string& file) {
  try {
    return to_json(toml::parse(text), file);
  } catch (const toml::parse_error& error) {
    throw Error({.file = place(file, error.source()),
                 .found = "invalid TOML",
                 .expected = "TOML",
                 .hint = printable(error.description(), 200)});
  }
}

Json read_toml_file(const std::filesystem::path& path) {
  return parse_toml(read_text_file(path), path.string());
}

}  // namespace slayer
