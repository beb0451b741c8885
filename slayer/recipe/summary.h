#pragma once

#include <memory>
#include <vector>

#include "slayer/core/json.h"
#include "slayer/recipe/job.h"

namespace slayer {

/// The answer of a finished job in numbers, from the files in its folders: both models' sizes, what
/// verify found, perplexities with 95 % intervals over documents and their paired change, samples,
/// and what each stage took. Of a variant, "files" says where lies what it shares with others.
Json summarize_job(const Job& job);

/// The summaries of all variants of a recipe.
Json summarize_variants(const std::vector<std::unique_ptr<Job>>& jobs);

}  // namespace slayer
