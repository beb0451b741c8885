#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "slayer/core/json.h"
#include "slayer/core/progress.h"
#include "slayer/eval/item.h"
#include "slayer/eval/sandbox.h"
#include "slayer/eval/scoring.h"
#include "slayer/eval/task.h"
#include "slayer/model/causal_lm.h"
#include "slayer/tokenizer/tokenizer.h"

namespace slayer {

struct EvaluationOptions {
  std::filesystem::path data_dir;
  std::filesystem::path samples_folder;  ///< Where samples_<task>.jsonl are written.
  std::string model_hash;
  std::string dtype;  ///< The model's, for the record.
  ItemOptions items;
  ScoringOptions scoring;
  std::vector<int64_t> stop_tokens;  ///< What ends a generated text besides the task's stops.
  const Sandbox* sandbox = nullptr;  ///< Where programs run; without one no task may need it.
  std::optional<int64_t> num_samples = {};  ///< Programs for each item, instead of the task's own.
  ProgressStyle progress = ProgressStyle::kSilent;
  std::stop_token stop;
};

/// What one task gave.
struct TaskResult {
  Json metrics;               ///< As aggregate_samples gives them.
  Json config;                ///< Version, shots, seed, limit, ...: what makes numbers comparable.
  std::vector<Json> samples;  ///< In the order of the items.
};

/// Whether the task runs programs that the model writes.
inline bool runs_programs(const Task& task) { return task.program.has_value(); }

/// Programs for each item: num_samples, else the task's own; 1 where it runs none.
int64_t sample_count(const Task& task, const EvaluationOptions& options);

/// Where a task's samples are written.
std::filesystem::path samples_path(const EvaluationOptions& options, const std::string& task);

/// Runs one task: reads its data, scores its items (going on from those that a former run of the
/// same command had done), and writes samples_<task>.jsonl.
/// @throws Error for data that are missing or wrong and for programs without a sandbox; Interrupted
/// when asked to stop.
TaskResult evaluate_task(const CausalLM& model,
                         const Tokenizer& tokenizer,
                         const Task& task,
                         const EvaluationOptions& options);

}  // namespace slayer
