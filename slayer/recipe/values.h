#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "slayer/core/error.h"
#include "slayer/core/json.h"

namespace slayer {

// What a recipe's tables are read with, beyond what JsonObject does.

inline constexpr int64_t kAny = std::numeric_limits<int64_t>::max();

/// A list of texts that are not empty; an empty one where the key is missing.
std::vector<std::string> strings(const JsonObject& object, std::string_view key);

/// A list of whole numbers; an empty one where the key is missing.
std::vector<int64_t> integers(const JsonObject& object, std::string_view key);

std::optional<int64_t> optional_integer(const JsonObject& object,
                                        std::string_view key,
                                        int64_t low);
std::optional<double> optional_number(const JsonObject& object, std::string_view key);

/// A key's path, from the recipe's folder. @throws Error for what no path can be.
std::filesystem::path path_of(const JsonObject& object,
                              std::string_view key,
                              const std::string& text,
                              const std::filesystem::path& folder);

/// A path from the recipe's folder; empty where the key is missing.
std::filesystem::path optional_path(const JsonObject& object,
                                    std::string_view key,
                                    const std::filesystem::path& folder);

/// Files, folders or globs from the recipe's folder, all of which must be there; none where the key
/// is missing.
std::vector<std::string> optional_text_files(const JsonObject& object,
                                             std::string_view key,
                                             const std::filesystem::path& folder);

/// As above, at least one.
std::vector<std::string> text_files(const JsonObject& object,
                                    std::string_view key,
                                    const std::filesystem::path& folder);

/// The error of a module that does not know of recipes, as one of the recipe's: its file in front,
/// and in place of command line options the keys of the recipe's table.
Error in_recipe(const Error& error, const std::string& recipe, const std::string& table);

/// Runs a check of another module. @throws Error as in_recipe.
template <class Check>
auto checked(const std::string& recipe, const std::string& table, const Check& check) {
  try {
    return check();
  } catch (const Error& error) {
    throw in_recipe(error, recipe, table);
  }
}

}  // namespace slayer
