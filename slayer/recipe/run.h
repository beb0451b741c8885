#pragma once

#include <filesystem>
#include <stop_token>
#include <string>

#include "slayer/core/json.h"
#include "slayer/core/progress.h"
#include "slayer/recipe/recipe.h"

namespace slayer {

/// How a run tells where it is and is asked to stop.
struct RunControl {
  ProgressStyle progress = ProgressStyle::kSilent;
  std::stop_token stop = {};
};

/// Runs the stages of a recipe that are out of date: import, plan, surgery, verify, train, eval of
/// both models. All state lies in the folder `out`: killed anywhere and run again, the run goes on
/// from the last stage or the last checkpoint of its training.
/// @return what is written to out/summary.json.
/// @throws Error for anything wrong with the recipe, its files or `out`; Interrupted when asked to
/// stop.
Json run_recipe(const Recipe& recipe, const std::filesystem::path& out, const RunControl& control);

/// What run_recipe would do, a line a stage, after the same checks. Writes nothing.
std::string describe_run(const Recipe& recipe, const std::filesystem::path& out);

}  // namespace slayer
