#include "slayer/recipe/values.h"

#include "slayer/data/documents.h"
#include "slayer/data/mixture.h"

namespace slayer {
namespace {

bool is_key_character(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

/// "--lora-rank: 4" -> "lora_rank: 4".
std::string with_keys(const std::string& text) {
  std::string changed;
  bool is_option = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text.compare(i, 2, "--") == 0 && i + 2 < text.size() && is_key_character(text[i + 2])) {
      is_option = true;
      ++i;
      continue;
    }
    is_option = is_option && (is_key_character(text[i]) || text[i] == '-');
    changed += is_option && text[i] == '-' ? '_' : text[i];
  }
  return changed;
}

}  // namespace

std::vector<std::string> strings(const JsonObject& object, std::string_view key) {
  std::vector<std::string> words;
  if (!object.has(key)) {
    return words;
  }
  for (const Json& word : object.array(key)) {
    if (!word.is_string() || word.get_ref<const std::string&>().empty()) {
      object.fail(key, printable(compact_text(word)), "a list of texts");
    }
    words.push_back(word.get<std::string>());
  }
  return words;
}

std::vector<int64_t> integers(const JsonObject& object, std::string_view key) {
  std::vector<int64_t> numbers;
  if (!object.has(key)) {
    return numbers;
  }
  for (const Json& number : object.array(key)) {
    if (!number.is_number_integer()) {
      object.fail(key, printable(compact_text(number)), "a list of whole numbers");
    }
    numbers.push_back(number.get<int64_t>());
  }
  return numbers;
}

std::optional<int64_t> optional_integer(const JsonObject& object,
                                        std::string_view key,
                                        int64_t low) {
  return object.has(key) ? std::optional(object.integer(key, low, kAny)) : std::nullopt;
}

std::optional<double> optional_number(const JsonObject& object, std::string_view key) {
  return object.has(key) ? std::optional(object.number(key)) : std::nullopt;
}

std::filesystem::path path_of(const JsonObject& object,
                              std::string_view key,
                              const std::string& text,
                              const std::filesystem::path& folder) {
  if (text.find('\0') != std::string::npos) {
    object.fail(key, printable(text), "a path");
  }
  return (folder / text).lexically_normal();
}

std::filesystem::path optional_path(const JsonObject& object,
                                    std::string_view key,
                                    const std::filesystem::path& folder) {
  return object.has(key) ? path_of(object, key, object.string(key), folder)
                         : std::filesystem::path();
}

std::vector<std::string> optional_text_files(const JsonObject& object,
                                             std::string_view key,
                                             const std::filesystem::path& folder) {
  std::vector<std::string> patterns;
  for (const std::string& pattern : strings(object, key)) {
    patterns.push_back(path_of(object, key, pattern, folder).string());
  }
  if (!patterns.empty()) {
    checked(object.file(), "", [&] { return find_document_files(patterns_of(patterns)); });
  }
  return patterns;
}

std::vector<std::string> text_files(const JsonObject& object,
                                    std::string_view key,
                                    const std::filesystem::path& folder) {
  std::vector<std::string> patterns = optional_text_files(object, key, folder);
  if (patterns.empty()) {
    object.fail(key, "nothing", "at least one file");
  }
  return patterns;
}

Error in_recipe(const Error& error, const std::string& recipe, const std::string& table) {
  ErrorParts parts = error.parts();
  if (parts.file == recipe) {
    return error;
  }
  if (parts.file.empty() || parts.file.starts_with("--")) {  // It speaks of options.
    const std::string option = with_keys(parts.file);
    for (std::string* const text : {&parts.item, &parts.found, &parts.expected, &parts.hint}) {
      *text = with_keys(*text);
    }
    parts.file = table + (table.empty() || option.empty() ? "" : ".") + option;
  }
  parts.item = parts.file + (parts.file.empty() || parts.item.empty() ? "" : ": ") + parts.item;
  parts.file = recipe;
  return Error(parts);
}

}  // namespace slayer
