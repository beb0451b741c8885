#include "slayer/recipe/run.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "slayer/core/error.h"
#include "slayer/core/file.h"
#include "slayer/core/folder_lock.h"
#include "slayer/core/log.h"
#include "slayer/core/progress.h"
#include "slayer/recipe/estimate.h"
#include "slayer/recipe/machine.h"
#include "slayer/recipe/record.h"
#include "slayer/recipe/summary.h"
#include "slayer/report/write.h"

namespace slayer {
namespace {

// Always done, last; named so that --only can ask for it alone.
constexpr const char* kReport = "report";

using Jobs = std::vector<std::unique_ptr<Job>>;

/// Of several jobs, the first with the same settings: the stages that follow from these alone are
/// done in its folder.
std::filesystem::path folder_of_first(const Jobs& jobs,
                                      const Recipe& recipe,
                                      const std::vector<const char*>& tables,
                                      const std::filesystem::path& own) {
  const auto is_alike = [&](const auto& job) {
    return std::ranges::all_of(tables, [&](const char* table) {
      return job->recipe().json.value(table, Json()) == recipe.json.value(table, Json());
    });
  };
  const auto first = std::ranges::find_if(jobs, is_alike);
  return first == jobs.end() ? own : (*first)->folders().own;
}

Jobs make_jobs(const Recipe& recipe, const std::filesystem::path& out, const RunControl& control) {
  Jobs jobs;
  if (recipe.variants.empty()) {
    jobs.push_back(std::make_unique<Job>(
        recipe,
        JobFolders{.run = out, .plan = out, .train = out, .sft = out, .own = out},
        control));
    return jobs;
  }
  for (const Recipe& variant : recipe.variants) {
    const std::filesystem::path own = out / "variants" / variant.variant;
    const JobFolders folders{.run = out,
                             .plan = folder_of_first(jobs, variant, {"plan"}, own),
                             .train = folder_of_first(jobs, variant, {"plan", "train"}, own),
                             .sft = folder_of_first(jobs, variant, {"plan", "train", "sft"}, own),
                             .own = own};
    jobs.push_back(std::make_unique<Job>(variant, folders, control));
  }
  return jobs;
}

/// A stage and whose it is.
struct JobStage {
  const Job* job;
  Stage stage;
};

/// All jobs' stages, what they share once.
std::vector<JobStage> stages_of(const Jobs& jobs) {
  std::vector<JobStage> all;
  std::set<std::filesystem::path> outputs;
  for (const std::unique_ptr<Job>& job : jobs) {
    for (Stage& stage : job->stages()) {
      if (outputs.insert(stage.output_path()).second) {
        all.push_back({job.get(), std::move(stage)});
      }
    }
  }
  return all;
}

/// "eval" names eval-base and eval-new.
bool is_named(const Stage& stage, const std::string& name) {
  return stage.name == name || stage.name.starts_with(name + "-");
}

/// @throws Error for a name that no stage has.
void check_choice(const StageChoice& choice, const std::vector<JobStage>& stages) {
  for (const std::string& name : {choice.only, choice.from}) {
    if (name.empty() || name == kReport || std::ranges::any_of(stages, [&](const auto& entry) {
          return is_named(entry.stage, name);
        })) {
      continue;
    }
    std::vector<std::string> known;
    for (const JobStage& entry : stages) {
      if (std::ranges::find(known, entry.stage.name) == known.end()) {
        known.push_back(entry.stage.name);
      }
    }
    throw Error({.file = choice.only.empty() ? "--from" : "--only",
                 .found = printable(name),
                 .expected = fmt::format("{} or {}", fmt::join(known, ", "), kReport)});
  }
}

enum class Need : uint8_t { kUpToDate, kLeftOut, kToDo, kAgain };

bool reads_any(const Stage& stage, const std::set<std::filesystem::path>& outputs) {
  return std::ranges::any_of(stage.reads, [&](const auto& path) { return outputs.contains(path); });
}

/// A training, finished or not, is hours of work that nothing brings back.
/// @throws Error where one lies that differs.
void refuse_to_lose_work(const Stage& stage, const std::string& changed) {
  if (!changed.empty() && holds_work(stage)) {
    throw Error({.file = (stage.folder / stage.name).string(),
                 .found = "a training that differs (" + changed + ")",
                 .expected = "--force to replace it",
                 .hint = "another --out keeps both"});
  }
}

/// What is to be done of each stage. What reads the output of a stage that will run cannot be
/// hashed before.
/// @throws Error where a training would be replaced by another, unless that is asked for.
std::vector<Need> needs_of(const std::vector<JobStage>& stages, const StageChoice& choice) {
  std::vector<Need> needs;
  std::set<std::filesystem::path> stale;    // Outputs that will be made,
  std::set<std::filesystem::path> changed;  // of these, those that will likely be others.
  std::set<const Job*> begun;               // Jobs whose stage --from was passed.
  for (const auto& [job, stage] : stages) {
    if (is_named(stage, choice.from)) {
      begun.insert(job);
    }
    const bool is_stale = reads_any(stage, stale);
    Need need = is_stale || !is_up_to_date(stage) ? Need::kToDo : Need::kUpToDate;
    std::string changes;
    if (reads_any(stage, changed)) {
      changes = "base or plan";
    } else if (need == Need::kToDo && !is_stale) {
      changes = changed_inputs(stage);
    }
    if (!choice.from.empty() && choice.from != kReport && begun.contains(job)) {
      need = Need::kAgain;
    }
    if (need != Need::kUpToDate) {
      stale.insert(stage.output_path());
    }
    if (!changes.empty()) {
      changed.insert(stage.output_path());
    }
    if (!choice.only.empty() && !is_named(stage, choice.only)) {
      need = Need::kLeftOut;
    }
    if (need == Need::kToDo && !choice.force) {
      refuse_to_lose_work(stage, changes);
    }
    needs.push_back(need);
  }
  return needs;
}

using Estimators = std::map<const Job*, Estimator>;

Estimators estimators_of(const Jobs& jobs, std::optional<double> flops) {
  Estimators estimators;
  for (const std::unique_ptr<Job>& job : jobs) {
    estimators.emplace(job.get(), Estimator(*job, flops));
  }
  return estimators;
}

/// Bytes of the files in a folder; 0 where there is none.
int64_t size_of(const std::filesystem::path& folder) {
  int64_t bytes = 0;
  if (std::filesystem::exists(folder)) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
      bytes += entry.is_regular_file() ? static_cast<int64_t>(entry.file_size()) : 0;
    }
  }
  return bytes;
}

/// Room on the disk for all stages to do, memory for the trainings.
void check_machine(const std::vector<JobStage>& stages,
                   const std::vector<Need>& needs,
                   const Estimators& estimators,
                   const std::filesystem::path& out) {
  int64_t disk = 0;
  for (size_t i = 0; i < stages.size(); ++i) {
    if (needs[i] != Need::kToDo && needs[i] != Need::kAgain) {
      continue;
    }
    const auto& [job, stage] = stages[i];
    const Estimator& estimator = estimators.at(job);
    // Other outputs are written beside those that they replace.
    const int64_t there = stage.states.empty() ? 0 : size_of(stage.folder / stage.states);
    disk += std::max<int64_t>(estimator.of(stage.name).disk_bytes - there, 0);
    const int64_t memory = total_memory();
    const int64_t least = estimator.least_memory(stage.name);
    if (job->recipe().device == "cpu" && memory > 0 && least > memory) {
      throw Error({.file = job->recipe().file.string(),
                   .item = stage.name,
                   .found = format_bytes(static_cast<double>(memory)) + " of memory",
                   .expected = format_bytes(static_cast<double>(least)) +
                               " for weights, gradients and optimizer",
                   .hint = "a plan or method that trains less?"});
    }
  }
  std::filesystem::path folder = std::filesystem::absolute(out);
  while (!std::filesystem::exists(folder)) {
    folder = folder.parent_path();
  }
  require_free_space(folder, static_cast<uint64_t>(disk));
}

void check_folder(const std::filesystem::path& out) {
  // recipes/ is made before all else.
  const bool is_new = !std::filesystem::exists(out) || std::filesystem::is_empty(out);
  if (!is_new && !std::filesystem::exists(out / "recipes")) {
    throw Error({.file = out.string(),
                 .found = "a folder that no run made",
                 .expected = "a new path or the folder of a run"});
  }
}

/// Notes what this run works from; what former ones did stands in the stages' stamps.
/// @return what the stamps of this one's stages shall say.
Json write_record(const Recipe& recipe, const Jobs& jobs, const std::filesystem::path& out) {
  const Json record = describe_run_record(recipe, jobs.front()->base().hash());
  keep_recipe(recipe, out);
  write_json_file(out / "run.json", record);
  for (const std::unique_ptr<Job>& job : jobs) {
    write_json_file(job->folders().own / "run.json", record);
  }
  return record;
}

/// The part of a stage's line in --dry-run that says what it will take.
std::string describe_estimate(const StageEstimate& estimate) {
  if (estimate.seconds == 0.0 && estimate.memory_bytes == 0) {
    return "";
  }
  std::string text = fmt::format("about {}, {} of memory",
                                 format_duration(std::max(1.0, estimate.seconds)),
                                 format_bytes(static_cast<double>(estimate.memory_bytes)));
  if (estimate.disk_bytes > 0) {
    text += fmt::format(", {} on disk", format_bytes(static_cast<double>(estimate.disk_bytes)));
  }
  return text;
}

void prepare(const Recipe& recipe, const Jobs& jobs, const std::filesystem::path& out) {
  if (recipe.threads > 0) {
    at::set_num_threads(static_cast<int>(recipe.threads));
  }
  for (const std::unique_ptr<Job>& job : jobs) {
    job->check();
  }
  check_folder(out);
}

/// @throws Error saying so where an earlier stage was left out that makes what this one reads.
void check_inputs(const Stage& stage) {
  try {
    stage.inputs();
  } catch (const Error& error) {
    ErrorParts parts = error.parts();
    parts.hint = "an earlier stage is to do; run it first, or all without --only";
    throw Error(parts);
  }
}

/// @return the first stage that is still to do where some were left out; empty: all is done.
std::string do_stages(const std::vector<JobStage>& stages,
                      const std::vector<Need>& needs,
                      const StageChoice& choice,
                      const RunControl& control,
                      const Json& record) {
  std::string next;
  for (size_t i = 0; i < stages.size(); ++i) {
    const Stage& stage = stages[i].stage;
    const std::string title = fmt::format("[{}/{}] {}", i + 1, stages.size(), stage.title());
    if (needs[i] == Need::kLeftOut) {
      if (next.empty() && !is_up_to_date(stage)) {
        next = stage.title();
      }
      continue;
    }
    if (!choice.only.empty()) {
      check_inputs(stage);
    }
    // Asked again: what was to do since an earlier stage was may turn out to be the same.
    if (needs[i] != Need::kAgain && is_up_to_date(stage)) {
      log_info(title + ": up to date");
      continue;
    }
    if (control.stop.stop_requested()) {
      throw Interrupted("run the same command again to go on with " + stage.title());
    }
    if (needs[i] == Need::kToDo && !choice.force && holds_work(stage)) {
      refuse_to_lose_work(stage, changed_inputs(stage));
    }
    log_info(title);
    make_stage(stage, /*anew=*/needs[i] == Need::kAgain, record);
  }
  return next;
}

}  // namespace

Json run_recipe(const Recipe& recipe,
                const std::filesystem::path& out,
                const StageChoice& choice,
                const RunControl& control) {
  const Jobs jobs = make_jobs(recipe, out, control);
  prepare(recipe, jobs, out);
  const std::vector<JobStage> stages = stages_of(jobs);
  check_choice(choice, stages);
  const std::vector<Need> needs = needs_of(stages, choice);
  check_machine(stages, needs, estimators_of(jobs, /*flops=*/std::nullopt), out);
  const FolderLock lock(out);
  const Json record = write_record(recipe, jobs, out);
  const std::string next = do_stages(stages, needs, choice, control, record);
  if (!next.empty()) {
    return {{"format", 1}, {"is_finished", false}, {"next", next}};
  }
  Json summary;
  for (const std::unique_ptr<Job>& job : jobs) {
    summary = summarize_job(*job);
    write_json_file(job->folders().own / "summary.json", summary);
    write_report(job->folders().own);
  }
  if (!recipe.variants.empty()) {
    summary = summarize_variants(jobs);
    write_json_file(out / "summary.json", summary);
    write_report(out);
  }
  return summary;
}

std::vector<StageForecast> forecast_run(const Recipe& recipe,
                                        const std::filesystem::path& out,
                                        const StageChoice& choice) {
  const Jobs jobs = make_jobs(recipe, out, {});
  prepare(recipe, jobs, out);
  const std::vector<JobStage> stages = stages_of(jobs);
  check_choice(choice, stages);
  const std::vector<Need> needs = needs_of(stages, choice);
  const Estimators estimators = estimators_of(jobs, measured_flops(recipe));
  check_machine(stages, needs, estimators, out);
  std::vector<StageForecast> forecasts;
  for (size_t i = 0; i < stages.size(); ++i) {
    const Stage& stage = stages[i].stage;
    const bool is_to_do = needs[i] == Need::kToDo || needs[i] == Need::kAgain;
    forecasts.push_back(
        {.stage = stage.title(),
         .status = is_to_do                      ? "to do"
                   : needs[i] == Need::kUpToDate ? "up to date"
                                                 : "left out",
         .estimate = is_to_do ? estimators.at(stages[i].job).of(stage.name) : StageEstimate(),
         .output = stage.output_path()});
  }
  return forecasts;
}

std::string describe(const std::vector<StageForecast>& stages) {
  std::string lines;
  for (const StageForecast& stage : stages) {
    lines += fmt::format("{:<16} {:<11} {:<40} {}\n",
                         stage.stage,
                         stage.status,
                         describe_estimate(stage.estimate),
                         stage.output.string());
  }
  return lines;
}

Json to_json(const std::vector<StageForecast>& stages) {
  Json all = Json::array();
  for (const StageForecast& stage : stages) {
    all.push_back({{"stage", stage.stage},
                   {"status", stage.status},
                   {"seconds", stage.estimate.seconds},
                   {"memory_bytes", stage.estimate.memory_bytes},
                   {"disk_bytes", stage.estimate.disk_bytes},
                   {"output", stage.output.string()}});
  }
  return {{"format", 1}, {"stages", all}};
}

}  // namespace slayer
