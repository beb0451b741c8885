#pragma once

#include <filesystem>
#include <vector>

#include "slayer/core/json.h"
#include "slayer/recipe/stages.h"

namespace slayer {

/// The answer of a finished run in numbers, from the files in its folder: both models' sizes, what
/// verify found, perplexities with 95 % intervals over documents and their paired change, samples,
/// and what each stage took.
Json summarize_run(const std::filesystem::path& run,
                   const std::filesystem::path& base,
                   const std::vector<Stage>& stages,
                   const StageLog& log);

}  // namespace slayer
