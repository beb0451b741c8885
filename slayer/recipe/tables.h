#pragma once

#include <filesystem>
#include <string>

#include "slayer/core/json.h"
#include "slayer/recipe/recipe.h"

namespace slayer {

// A recipe's tables, one function each; `folder` is the recipe's, where its paths start from.
// All throw Error naming the file and the key: values of the wrong type or out of range, files that
// are not there.

PlanRecipe read_plan_table(const JsonObject& object);

ProbeRequest read_probe_table(const JsonObject& object, const std::filesystem::path& folder);

/// [train] and [sft], which differ in the format of their data where the table says none. Without
/// dtype, device and threads, which the whole recipe shares.
TrainOptions read_train_table(const JsonObject& object,
                              const std::filesystem::path& folder,
                              DocumentFormat usual_format);

EvalRecipe read_eval_table(const JsonObject& object, const std::filesystem::path& folder);

ExportRecipe read_export_table(const JsonObject& object);

}  // namespace slayer
