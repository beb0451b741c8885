#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "slayer/core/json.h"
#include "slayer/recipe/estimate.h"
#include "slayer/recipe/job.h"
#include "slayer/recipe/recipe.h"

namespace slayer {

/// Which of a run's stages are done; at most one of the two names is set.
struct StageChoice {
  std::string only;    ///< This one, if it is out of date; all it needs must be there.
  std::string from;    ///< This one and all after it, even where they are up to date.
  bool force = false;  ///< Also trainings that take the place of others, made from other inputs.
};

/// Runs the stages of a recipe that are out of date, for each of its variants, and writes the
/// report. All state lies in the folder `out`: killed anywhere and run again, the run goes on from
/// the last stage or the last checkpoint of its training; the folder can be moved.
/// @return what is written to out/summary.json; where stages were left out that are still to do,
/// {"format": 1, "is_finished": false, "next": "train"}, and no report is written.
/// @throws Error for anything wrong with the recipe, its files or `out`, where another run is at
/// work in `out`, and where a training of other inputs would be lost; Interrupted when asked to
/// stop.
Json run_recipe(const Recipe& recipe,
                const std::filesystem::path& out,
                const StageChoice& choice,
                const RunControl& control);

/// What run_recipe would do with a stage.
struct StageForecast {
  std::string stage;       ///< With its variant.
  std::string status;      ///< "to do", "up to date" or "left out".
  StageEstimate estimate;  ///< Of what is to do.
  std::filesystem::path output;
};

/// What run_recipe would do, after the same checks. Writes nothing.
std::vector<StageForecast> forecast_run(const Recipe& recipe,
                                        const std::filesystem::path& out,
                                        const StageChoice& choice);

/// A line a stage, and as JSON.
std::string describe(const std::vector<StageForecast>& stages);
Json to_json(const std::vector<StageForecast>& stages);

}  // namespace slayer
