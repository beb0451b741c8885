#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include "slayer/core/json.h"
#include "slayer/core/progress.h"
#include "slayer/data/documents.h"
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

/// All documents of the files that `patterns` name.
std::vector<Document> read_texts(const std::vector<std::string>& patterns,
                                 const std::string& text_field);

/// Perplexity of a checkpoint on the domain's and the general held-out text, and how it goes on
/// with the prompts, greedily:
///
///   {"format": 1, "model": hash, "results": {"text:domain": {...}, "text:general": {...}},
///    "configs": {...}, "samples": [{"prompt": "...", "text": "..."}]}
///
/// `name` is shown with the progress. @throws Interrupted when asked to stop.
Json evaluate(const std::filesystem::path& checkpoint,
              const std::string& name,
              const EvalSettings& settings);

}  // namespace slayer
