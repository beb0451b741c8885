#include "slayer/recipe/variants.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "slayer/core/error.h"

namespace slayer {
namespace {

// The stages before and after these are the same for all variants.
const std::vector<std::string_view> kChangeable{"plan", "train", "sft"};

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

/// `changes` laid over `json`, table by table.
void merge(Json& json, const Json& changes) {
  for (const auto& [key, value] : changes.items()) {
    if (value.is_object() && json.contains(key) && json[key].is_object()) {
      merge(json[key], value);
    } else {
      json[key] = value;
    }
  }
}

/// "llama-pro", "2": a value as a part of a name.
std::string name_of_value(const Json& value) {
  std::string name = value.is_string() ? value.get<std::string>() : compact_text(value);
  std::ranges::replace_if(name, [](char c) { return !is_name_character(c); }, '-');
  return name;
}

/// Each variant once for each value of one key of the matrix.
std::vector<RecipeVariant> multiply(const std::vector<RecipeVariant>& variants,
                                    const JsonObject& table,
                                    const std::string& table_name,
                                    const std::string& key) {
  const Json& values = table.array(key);
  if (values.empty()) {
    table.fail(key, "an empty list", "at least one value");
  }
  std::vector<RecipeVariant> product;
  for (const RecipeVariant& variant : variants) {
    for (const Json& value : values) {
      RecipeVariant next = variant;
      next.json[table_name][key] = value;
      next.name += (next.name.empty() ? "" : "-") + key + "-" + name_of_value(value);
      product.push_back(std::move(next));
    }
  }
  return product;
}

std::vector<RecipeVariant> named_variants(const JsonObject& recipe, const Json& common) {
  if (!recipe.has("variants")) {
    return {{.name = "", .json = common}};
  }
  const JsonObject table = recipe.object("variants");
  std::vector<RecipeVariant> variants;
  for (const auto& [name, unused] : table.json().items()) {
    if (name.empty() || name.starts_with('.') || !std::ranges::all_of(name, is_name_character)) {
      table.fail(printable(name), "this name", "letters, digits, '.', '_' and '-'");
    }
    const JsonObject changes = table.object(name);
    changes.refuse_unknown_keys(kChangeable);
    RecipeVariant variant{.name = name, .json = common};
    merge(variant.json, changes.json());
    variants.push_back(std::move(variant));
  }
  return variants;
}

}  // namespace

std::vector<RecipeVariant> expand_variants(const JsonObject& recipe) {
  if (!recipe.has("variants") && !recipe.has("matrix")) {
    return {};
  }
  Json common = recipe.json();
  common.erase("variants");
  common.erase("matrix");
  std::vector<RecipeVariant> variants = named_variants(recipe, common);
  if (recipe.has("matrix")) {
    const JsonObject matrix = recipe.object("matrix");
    matrix.refuse_unknown_keys(kChangeable);
    for (const auto& [table, unused] : matrix.json().items()) {
      const JsonObject keys = matrix.object(table);
      for (const auto& [key, values] : keys.json().items()) {
        variants = multiply(variants, keys, table, key);
      }
    }
  }
  constexpr size_t kLongestName = 200;  // Of a folder, with room for the endings of files.
  for (size_t i = 0; i < variants.size(); ++i) {
    if (variants[i].name.size() > kLongestName) {
      recipe.fail(
          "variants",
          printable(variants[i].name) + fmt::format(" of {} bytes", variants[i].name.size()),
          fmt::format("names of at most {}", kLongestName));
    }
    for (size_t j = 0; j < i; ++j) {
      if (variants[i].json == variants[j].json || variants[i].name == variants[j].name) {
        recipe.fail(
            "variants", variants[j].name + " and " + variants[i].name + " alike", "differences");
      }
    }
  }
  return variants;
}

}  // namespace slayer
