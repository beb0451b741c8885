#include "slayer/core/json.h"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>
#include <set>

#include "slayer/core/error.h"
#include "slayer/core/file.h"

namespace slayer {
namespace {

constexpr int kDeepestNesting = 128;

std::string describe(const Json& value) {
  return printable(value.dump(-1, ' ', true, Json::error_handler_t::replace));
}

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0]++;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t substituted = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, substituted});
    }
  }
  return row.back();
}

}  // namespace

Json parse_json(std::string_view text, const std::string& file) {
  std::vector<std::set<std::string>> keys_of_open_objects;
  const auto check = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (depth > kDeepestNesting) {
      throw Error({.file = file,
                   .item = "JSON nesting",
                   .found = fmt::format("more than {} levels", kDeepestNesting),
                   .expected = "fewer"});
    }
    if (event == Json::parse_event_t::object_start) {
      keys_of_open_objects.emplace_back();
    } else if (event == Json::parse_event_t::object_end) {
      keys_of_open_objects.pop_back();
    } else if (event == Json::parse_event_t::key) {
      const auto& key = parsed.get_ref<const std::string&>();
      if (!keys_of_open_objects.back().insert(key).second) {
        throw Error({.file = file,
                     .item = printable(key),
                     .found = "a duplicate key",
                     .expected = "each key once"});
      }
    }
    return true;
  };
  try {
    return Json::parse(text, check);
  } catch (const Json::parse_error& error) {
    throw Error({.file = file,
                 .item = fmt::format("byte {}", error.byte),
                 .found = "invalid JSON",
                 .expected = "JSON",
                 .hint = printable(error.what(), 200)});
  } catch (const Json::out_of_range&) {
    throw Error({.file = file,
                 .item = "a number",
                 .found = "more than a double holds",
                 .expected = "finite numbers"});
  }
}

Json parse_journal_line(std::string_view line) {
  const Json json = Json::parse(line, /*callback=*/nullptr, /*allow_exceptions=*/false);
  return json.is_object() ? json : Json();
}

Json read_json_file(const std::filesystem::path& path) {
  return parse_json(read_text_file(path), path.string());
}

std::string compact_text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string json_text(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

void write_json_file(const std::filesystem::path& path, const Json& json) {
  write_text_file(path, json_text(json));
}

JsonObject::JsonObject(const Json& json, std::string file, std::string prefix)
    : json_(&json), file_(std::move(file)), prefix_(std::move(prefix)) {
  if (!json.is_object()) {
    throw Error(
        {.file = file_, .item = prefix_, .found = describe(json), .expected = "a JSON object"});
  }
}

std::string JsonObject::dotted(std::string_view key) const {
  return prefix_.empty() ? std::string(key) : fmt::format("{}.{}", prefix_, key);
}

void JsonObject::fail(std::string_view key, std::string found, std::string expected) const {
  throw Error({.file = file_,
               .item = printable(dotted(key)),
               .found = std::move(found),
               .expected = std::move(expected)});
}

bool JsonObject::has(std::string_view key) const {
  const auto member = json_->find(key);
  return member != json_->end() && !member->is_null();
}

const Json& JsonObject::member(std::string_view key) const {
  const auto found = json_->find(key);
  if (found == json_->end()) {
    throw Error({.file = file_,
                 .item = printable(dotted(key)),
                 .found = "nothing",
                 .expected = "this key"});
  }
  return *found;
}

int64_t JsonObject::integer(std::string_view key, int64_t low, int64_t high) const {
  const Json& value = member(key);
  const auto expected = [&] { return fmt::format("an integer from {} to {}", low, high); };
  const bool is_large_unsigned =
      value.is_number_unsigned() && value.get<uint64_t>() > uint64_t{INT64_MAX};
  if (!value.is_number_integer() || is_large_unsigned || value.get<int64_t>() < low ||
      value.get<int64_t>() > high) {
    fail(key, describe(value), expected());
  }
  return value.get<int64_t>();
}

double JsonObject::number(std::string_view key) const {
  const Json& value = member(key);
  if (!value.is_number()) {
    fail(key, describe(value), "a number");
  }
  return value.get<double>();
}

bool JsonObject::boolean(std::string_view key) const {
  const Json& value = member(key);
  if (!value.is_boolean()) {
    fail(key, describe(value), "true or false");
  }
  return value.get<bool>();
}

std::string JsonObject::string(std::string_view key) const {
  const Json& value = member(key);
  if (!value.is_string()) {
    fail(key, describe(value), "a string");
  }
  return value.get<std::string>();
}

JsonObject JsonObject::object(std::string_view key) const {
  return {member(key), file_, dotted(key)};
}

const Json& JsonObject::array(std::string_view key) const {
  const Json& value = member(key);
  if (!value.is_array()) {
    fail(key, describe(value), "an array");
  }
  return value;
}

int64_t JsonObject::integer_or(std::string_view key,
                               int64_t low,
                               int64_t high,
                               int64_t fallback) const {
  return has(key) ? integer(key, low, high) : fallback;
}

double JsonObject::number_or(std::string_view key, double fallback) const {
  return has(key) ? number(key) : fallback;
}

bool JsonObject::boolean_or(std::string_view key, bool fallback) const {
  return has(key) ? boolean(key) : fallback;
}

std::string JsonObject::string_or(std::string_view key, std::string_view fallback) const {
  return has(key) ? string(key) : std::string(fallback);
}

void JsonObject::refuse_unknown_keys(const std::vector<std::string_view>& known) const {
  for (const auto& [key, value] : json_->items()) {
    if (std::ranges::find(known, key) == known.end()) {
      const auto nearest = nearest_word(key, known);
      fail(key,
           "an unknown key",
           nearest ? fmt::format("perhaps \"{}\"", *nearest)
                   : fmt::format("one of {}", fmt::join(known, ", ")));
    }
  }
}

std::optional<std::string> nearest_word(std::string_view word,
                                        const std::vector<std::string_view>& candidates) {
  size_t best = word.size() / 2 + 1;
  std::optional<std::string> nearest;
  for (const std::string_view candidate : candidates) {
    const size_t distance = edit_distance(word, candidate);
    if (distance < best) {
      best = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

}  // namespace slayer
