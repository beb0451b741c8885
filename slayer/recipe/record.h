#pragma once

#include <filesystem>

#include "slayer/core/json.h"
#include "slayer/recipe/recipe.h"

namespace slayer {

/// Where a run's folder keeps the text of a recipe, below it: recipes/NAME-HASH.toml, a file for
/// each text, so that a later recipe does not take the place of one that something was made by.
std::filesystem::path kept_recipe(const Recipe& recipe);

/// What a run depends on and no other file of it says, for whoever repeats it: the recipe, its base
/// and threads, the program and the machine.
Json describe_run_record(const Recipe& recipe, const std::string& base_hash);

/// Keeps the recipe's text in the run's folder, as recipe.toml too, which is the last one's.
void keep_recipe(const Recipe& recipe, const std::filesystem::path& run);

}  // namespace slayer
