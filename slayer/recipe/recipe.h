#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "slayer/core/json.h"
#include "slayer/eval/sandbox.h"
#include "slayer/probe/auto_plan.h"
#include "slayer/probe/probe_request.h"
#include "slayer/surgery/plan.h"
#include "slayer/surgery/strategies.h"
#include "slayer/train/options.h"

namespace slayer {

/// [plan]: which layers the new model gets.
struct PlanRecipe {
  std::string strategy = "slayer";
  int64_t every = 2;                    ///< slayer
  double shallow = 0.5;                 ///< slayer
  std::optional<int64_t> new_layers;    ///< llama-pro, solar, auto
  std::string ranges;                   ///< passthrough
  std::optional<double> budget;         ///< auto: parameters over the base's.
  std::optional<int64_t> prune;         ///< slayer, prune: the last N; auto: N.
  std::vector<int64_t> prune_layers;    ///< slayer, prune
  std::optional<PruneMode> prune_mode;  ///< kDrop; auto: what the probe found cheaper.
};

/// [eval]: held-out text, benchmarks, and what the models are asked to go on with.
struct EvalRecipe {
  std::vector<std::string> domain;   ///< Files of the text whose knowledge is wanted.
  std::vector<std::string> general;  ///< Files of the text that must not be forgotten.
  std::string text_field = "text";
  int64_t seq_len = 1024;
  std::vector<std::string> prompts;
  int64_t max_new_tokens = 60;
  std::vector<std::string> domain_tasks;   ///< Tasks or groups whose score is wanted.
  std::vector<std::string> general_tasks;  ///< Those that must not be forgotten.
  std::filesystem::path data_dir;          ///< Of the tasks' data; SLAYER_DATA_DIR if not given.
  std::filesystem::path tasks_dir;         ///< Of task files; empty: slayer's own.
  std::optional<int64_t> limit;            ///< Only the first items of each task.
  std::optional<int64_t> num_fewshot;      ///< Instead of each task's own.
  std::optional<SandboxKind> sandbox;      ///< Where programs that the models write may run.
};

/// [export]: what else the trained model is written as, beside its Hugging Face folder.
struct ExportRecipe {
  std::vector<std::string> gguf;  ///< f32, f16, bf16 or q8_0: a file each.
  bool pack = false;
};

/// The whole job, from one TOML file. Relative paths in it start from the file's folder; here they
/// start from the working folder.
struct Recipe {
  std::filesystem::path file;
  std::string text;            ///< The file's.
  std::filesystem::path base;  ///< A checkpoint folder or a GGUF.
  std::string import_dtype = "bfloat16";
  std::string dtype = "float32";  ///< Of the arithmetic.
  std::string device = "cpu";
  int64_t threads = 0;  ///< 0: the machine's cores.
  std::optional<ProbeRequest> probe;
  PlanRecipe plan;
  TrainOptions train;               ///< Without checkpoint and out, which the run's folder decides.
  std::optional<TrainOptions> sft;  ///< On conversations, after `train`.
  EvalRecipe eval;
  ExportRecipe exported;
  Json json;  ///< The file as it is, for stages to compare their settings.

  std::string variant;           ///< Of a variant: its name, fit for a folder.
  std::vector<Recipe> variants;  ///< [variants] and [matrix]: this recipe with some keys changed.
};

/// Reads a recipe and checks every value that can be checked without the base.
/// @throws Error naming the file and the key: unknown ones (with the nearest known), values of the
/// wrong type or out of range, text files that are not there.
Recipe read_recipe(const std::filesystem::path& file);

/// The keys that a recipe may have: of the file itself under "", of each table under its name.
const std::map<std::string, std::vector<std::string_view>>& recipe_keys();

/// The recipe's plan for a base of that depth, of every strategy but auto.
/// @throws Error for what the base has no layers for.
Plan make_plan(const PlanRecipe& recipe, int64_t source_layers);

/// What the strategy auto is asked for.
AutoPlanOptions auto_plan_options(const PlanRecipe& recipe);

}  // namespace slayer
