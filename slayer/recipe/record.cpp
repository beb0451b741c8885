#include "slayer/recipe/record.h"

#include <fmt/format.h>

#include "slayer/core/file.h"
#include "slayer/core/sha256.h"
#include "slayer/recipe/machine.h"

namespace slayer {

std::filesystem::path kept_recipe(const Recipe& recipe) {
  constexpr size_t kHashDigits = 8;
  const std::string hash = sha256(recipe.text).substr(0, kHashDigits);
  return std::filesystem::path("recipes") /
         fmt::format("{}-{}.toml", recipe.file.stem().string(), hash);
}

Json describe_run_record(const Recipe& recipe, const std::string& base_hash) {
  Json record = describe_machine();
  record["recipe"] = kept_recipe(recipe).generic_string();
  record["base"] = recipe.base.filename().string();
  record["base_hash"] = base_hash;
  record["threads"] = recipe.threads > 0 ? Json(recipe.threads) : Json("all cores");
  return record;
}

void keep_recipe(const Recipe& recipe, const std::filesystem::path& run) {
  write_text_file(run / kept_recipe(recipe), recipe.text);
  write_text_file(run / "recipe.toml", recipe.text);
}

}  // namespace slayer
