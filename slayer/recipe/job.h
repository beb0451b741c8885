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

struct TrainJob;

/// How a run tells where it is and is asked to stop.
struct RunControl {
  ProgressStyle progress = ProgressStyle::kSilent;
  std::stop_token stop = {};
};

/// Where the outputs of one job lie. Without variants that is the run's folder for all; with them,
/// each job has a folder of its own, and stages that are alike are done in the first's.
struct JobFolders {
  std::filesystem::path run;    ///< base/, probe.json, eval/base.json: the same for all.
  std::filesystem::path plan;   ///< plan.json, expanded/, verify.json
  std::filesystem::path train;  ///< train/
  std::filesystem::path sft;    ///< sft/, overlap.json
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
  /// What the last training makes.
  std::filesystem::path model_path() const;

  Plan read_plan() const;
  /// What plan.json says; before it is there, a plan of the sizes that it will have.
  Plan expected_plan() const;
  /// What the probe speaks for. @throws Error before there is one.
  AutoPlan make_auto_plan() const;

 private:
  /// One of a recipe's trainings.
  struct Training {
    const char* name;  ///< Of the stage, the recipe's table and the folder.
    const TrainOptions* options;
    std::filesystem::path checkpoint;
    std::filesystem::path folder;

    std::filesystem::path out() const { return folder / name; }
  };

  Stage stage(const std::string& name,
              const std::filesystem::path& folder,
              const std::filesystem::path& output) const;
  Stage import_stage() const;
  Stage probe_stage() const;
  Stage plan_stage() const;
  Stage surgery_stage() const;
  Stage verify_stage() const;
  Stage training_stage(const Training& training) const;
  Stage eval_stage(const std::string& name, const std::filesystem::path& model) const;
  Stage compare_stage() const;
  Stage overlap_stage() const;
  Stage export_stage() const;

  void check_probe(const Tokenizer& tokenizer) const;
  void check_training(const TrainOptions& options,
                      const char* table,
                      const Tokenizer& tokenizer) const;
  void import_base() const;
  void probe(bool goes_on) const;
  void write_plan() const;
  void operate() const;
  void verify() const;
  TrainJob prepared(const Training& training, bool goes_on) const;
  void discard(const Training& training) const;
  void train(const Training& training, bool goes_on) const;
  void compare() const;
  void export_model() const;
  Json probe_inputs() const;
  Json plan_inputs() const;
  Json surgery_inputs() const;
  Json training_inputs(const Training& training) const;
  Json eval_inputs(const std::filesystem::path& model) const;

  const Recipe& recipe_;
  JobFolders folders_;
  RunControl control_;
  Checkpoint base_;
};

}  // namespace slayer
