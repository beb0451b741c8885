#pragma once

#include <string>
#include <vector>

#include "slayer/core/json.h"

namespace slayer {

/// One of the jobs that a recipe with [variants] or [matrix] describes.
struct RecipeVariant {
  std::string name;  ///< Letters, digits, '.', '_' and '-': fit for a folder.
  Json json;         ///< The recipe with the variant's keys in place, without both tables.
};

/// The variants of a recipe, in its order: each table under [variants], once for each combination
/// of the values that [matrix] lists; nothing where the recipe has neither.
///
///   [variants.pro.plan]              [matrix]
///   strategy = "llama-pro"           train.seed = [1, 2]
///
/// @throws Error for tables that a variant cannot change, names that no folder could have, empty
/// lists, and two variants that are the same.
std::vector<RecipeVariant> expand_variants(const JsonObject& recipe);

}  // namespace slayer
