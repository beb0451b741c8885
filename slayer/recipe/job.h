#pragma once

#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include "slayer/checkpoint/checkpoint.h"
#include "slayer/core/json.h"
#include "slayer/core/progress.h"
#include "slayer/recipe/recipe.h"
#include "slayer/recipe/stages.h"

namespace slayer {

/// How a run tells where it is and is asked to stop.
struct RunControl {
  ProgressStyle progress = ProgressStyle::kSilent;
  std::stop_token stop = {};
};

/// Where the outputs of one job lie. Without variants that is the run's folder for all; with them,
/// each job has a folder of its own, and stages that are alike are done in the first's.
struct JobFolders {
  std::filesystem::path run;    ///< base/ and eval/base.json: the same for all.
  std::filesystem::path plan;   ///< plan.json, expanded/, verify.json
  std::filesystem::path train;  ///< train/, overlap.json
  std::filesystem::path own;    ///< eval/new.json, compare.json, export/, summary.json, report.html
};

/// The stages of one recipe without variants, or of one of its variants. Must outlive the stages
/// that it gives out.
class Job final {
 public:
  /// @throws Error when the base cannot be opened.
  Job(const Recipe& recipe, JobFolders folders, const RunControl& control);

  /// All that can be found wrong before anything long begins. @throws Error
  void check() const;

  /// In the order they run in, those of the folders of other jobs too.
  std::vector<Stage> stages() const;

  const Recipe& recipe() const { return recipe_; }
  const JobFolders& folders() const { return folders_; }
  const Checkpoint& base() const { return base_; }

  /// The Hugging Face folder that surgery starts from.
  std::filesystem::path base_path() const;
  std::filesystem::path model_path() const { return folders_.train / "train" / "model"; }

 private:
  Stage stage(const std::string& name,
              const std::filesystem::path& folder,
              const std::filesystem::path& output) const;
  Stage import_stage() const;
  Stage eval_stage(const std::string& name, const std::filesystem::path& model) const;
  Stage compare_stage() const;
  Stage overlap_stage() const;
  Stage export_stage() const;

  Plan read_plan() const;
  void import_base() const;
  void write_plan() const;
  void operate() const;
  void verify() const;
  void train(bool goes_on) const;
  void compare() const;
  void export_model() const;
  Json plan_inputs() const;
  Json train_inputs() const;
  Json eval_inputs(const std::filesystem::path& model) const;

  const Recipe& recipe_;
  JobFolders folders_;
  RunControl control_;
  Checkpoint base_;
};

}  // namespace slayer
