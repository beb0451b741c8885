#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "slayer/core/json.h"
#include "slayer/surgery/plan.h"
#include "slayer/surgery/strategies.h"
#include "slayer/train/options.h"

namespace slayer {

/// [plan]: which layers the new model gets.
struct PlanRecipe {
  std::string strategy = "slayer";
  int64_t every = 2;       ///< slayer
  double shallow = 0.5;    ///< slayer
  int64_t new_layers = 0;  ///< llama-pro, solar
  std::string ranges;      ///< passthrough
  int64_t prune = 0;       ///< slayer, prune: the last N
  std::vector<int64_t> prune_layers;
  PruneMode prune_mode = PruneMode::kDrop;
};

/// [eval]: held-out text, and what the models are asked to go on with.
struct EvalRecipe {
  std::vector<std::string> domain;   ///< Files of the text whose knowledge is wanted.
  std::vector<std::string> general;  ///< Files of the text that must not be forgotten.
  std::string text_field = "text";
  int64_t seq_len = 1024;
  std::vector<std::string> prompts;
  int64_t max_new_tokens = 60;
};

/// The whole job, from one TOML file. Relative paths in it start from the file's folder; here they
/// start from the working folder.
struct Recipe {
  std::filesystem::path file;
  std::filesystem::path base;  ///< A checkpoint folder or a GGUF.
  std::string import_dtype = "bfloat16";
  std::string dtype = "float32";  ///< Of the arithmetic.
  std::string device = "cpu";
  int64_t threads = 0;  ///< 0: the machine's cores.
  PlanRecipe plan;
  TrainOptions train;  ///< Without checkpoint and out, which the run's folder decides.
  EvalRecipe eval;
  Json json;  ///< The file as it is, for stages to compare their settings.
};

/// Reads a recipe and checks every value that can be checked without the base.
/// @throws Error naming the file and the key: unknown ones (with the nearest known), values of the
/// wrong type or out of range, text files that are not there.
Recipe read_recipe(const std::filesystem::path& file);

/// The recipe's plan for a base of that depth. @throws Error for what the base has no layers for.
Plan make_plan(const PlanRecipe& recipe, int64_t source_layers);

}  // namespace slayer
