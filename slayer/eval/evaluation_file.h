#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "slayer/core/json.h"
#include "slayer/eval/perplexity.h"
#include "slayer/eval/task.h"

namespace slayer {

struct TaskResult;

/// What `slayer eval` writes, and what compare and reports read; see the design's "eval output".
///
///   {"format": 1, "model": hash, "results": {task: metrics}, "configs": {task: config},
///    "items": {task: {"doc_id": [...], "acc": [...], ...}}, "groups": {group: [task, ...]}}
///
/// The items hold each metric item by item, and in short what was asked ("question"), what is right
/// ("expected") and what the model said ("said"), so that two files can be compared without others.
class EvaluationFile final {
 public:
  explicit EvaluationFile(const std::string& model_hash);

  /// @throws Error when the file is no evaluation, or of another format.
  static EvaluationFile read(const std::filesystem::path& path);

  void add_task(const std::string& name, const TaskResult& result);

  /// The mean over the items of the group's tasks, all of which must have been added.
  void add_group(const TaskGroup& group);

  /// Under "text:<name>". @throws Error for a loss that is no number.
  void add_text(const std::string& name, const PerplexityResult& result, const Json& config);

  /// What add_text was given. @throws Error when the file has no such text.
  PerplexityResult text(const std::string& name) const;

  const Json& json() const { return json_; }

 private:
  EvaluationFile() = default;

  Json json_;
  std::string path_;  ///< Where it was read from; for errors.
};

/// Terminal table of all results: one line a task and metric, with its standard error or interval,
/// then under what setting the task was run.
std::string format_results(const EvaluationFile& file);

}  // namespace slayer
