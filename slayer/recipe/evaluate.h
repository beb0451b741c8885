#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "slayer/core/json.h"
#include "slayer/core/progress.h"
#include "slayer/data/documents.h"
#include "slayer/eval/sandbox.h"
#include "slayer/eval/task.h"
#include "slayer/recipe/recipe.h"

namespace slayer {

/// How a recipe's models are evaluated.
struct EvalSettings {
  const EvalRecipe& recipe;
  at::ScalarType dtype;
  at::Device device;
  ProgressStyle progress = ProgressStyle::kSilent;
  std::stop_token stop = {};
};

/// The task files that the recipe's tasks come from.
TaskCatalogue task_catalogue(const EvalRecipe& recipe);

/// The names of all its tasks, groups taken apart: the domain's, then the general ones.
/// @throws Error for a name that no task has.
std::vector<std::string> task_names(const EvalRecipe& recipe, const TaskCatalogue& catalogue);

/// The sandbox that the recipe names for the programs of its tasks; nothing where they run none.
/// @throws Error where it names none for them.
std::optional<SandboxKind> require_sandbox(const EvalRecipe& recipe,
                                           const TaskCatalogue& catalogue);

/// Perplexity of a checkpoint on the domain's and the general held-out text, its results on the
/// tasks, and how it goes on with the prompts, greedily: an evaluation's JSON (evaluation_file.h)
/// with "text:domain", "text:general" and the tasks, and
///
///   "samples": [{"prompt": "...", "text": "..."}]
///
/// `samples_folder` holds the tasks' samples and what a former attempt had done of them; `name` is
/// shown with the progress. @throws Interrupted when asked to stop.
Json evaluate(const std::filesystem::path& checkpoint,
              const std::string& name,
              const std::filesystem::path& samples_folder,
              const EvalSettings& settings);

/// Removes what `evaluate` would go on from, once what it returned is written.
void discard_journals(const EvalRecipe& recipe, const std::filesystem::path& samples_folder);

}  // namespace slayer
