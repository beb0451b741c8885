#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "slayer/eval/template.h"
#include "slayer/eval/text_rule.h"

namespace slayer {

/// What a task asks of the model.
enum class TaskKind : uint8_t {
  kMultipleChoice,  ///< The likeliest of several continuations, or contexts.
  kLoglikelihood,   ///< How likely one continuation is, and whether it is the greedy one.
  kRolling,         ///< How likely a whole text is.
  kGenerate         ///< Text generated until a stop, from which an answer is taken.
};

/// Where few-shot examples come from.
struct FewShot {
  std::string split = {};   ///< Empty: the task knows no examples.
  int64_t count = 0;        ///< Unless --num-fewshot says otherwise.
  bool is_random = true;    ///< Drawn for each item; otherwise the first ones for all.
  bool skips_item = false;  ///< One more is drawn, and the item itself left out.
  int64_t first_row = 0;    ///< Of those that are not drawn.
};

/// How an answer is read from generated text.
struct AnswerFilter {
  std::string name = {};  ///< Appended to the metric's name: "exact_match,strict-match".
  std::optional<TextPattern> pattern = {};
  int64_t match = 0;  ///< Which match counts; -1: the last.
};

/// How generated text becomes a Python program that is run: between two texts of the row's.
struct ProgramRule {
  Template before = {};
  Template after = {};
  double seconds = 3.0;  ///< After which it has failed.
  int64_t samples = 1;   ///< Programs for each item; the only one is generated greedily.
  double temperature = 0.2;
  double top_p = 0.95;
  std::vector<int64_t> k = {1};  ///< pass@k is given for those not above the number of samples.
};

/// One benchmark, as its TOML file defines it; docs/tasks.md describes the format.
struct Task {
  std::string name = {};
  double version = 0.0;
  std::string source = {};  ///< Where the definition comes from.
  std::string file = {};    ///< The TOML file.
  TaskKind kind = TaskKind::kMultipleChoice;
  std::vector<std::string> metrics = {};

  std::string data_path = {};  ///< OWNER/NAME/CONFIG below the data folder.
  std::string split = {};
  FewShot few_shot = {};

  std::string description = {};         ///< Before the examples, as it is.
  std::string description_file = {};    ///< Below the data folder; its content is the description.
  std::string description_source = {};  ///< Where that file is published.
  Template text = {};
  std::string target_delimiter = " ";
  std::vector<Template> choices = {};   ///< One a choice, or one that names a list column.
  std::vector<Template> contexts = {};  ///< In place of choices: the texts to choose among.
  Template continuation = {};           ///< What follows each of `contexts`.
  std::optional<Template> gold = {};  ///< The right choice: its index, or its place in gold_among.
  std::vector<Template> gold_among = {};  ///< As choices.
  std::optional<Template> right =
      {};  ///< A list column of 1 and 0, where several choices are right.
  std::optional<Template> target = {};  ///< The continuation or answer where there are no choices.
  std::vector<TextRule> clean = {};     ///< Applied to the rendered text and choices.

  std::vector<std::string> stops = {};  ///< Text that ends a generation.
  int64_t max_new_tokens = 256;
  std::vector<AnswerFilter> filters = {};
  bool ignores_case = false;
  std::optional<double> tolerance = {};  ///< Answer and target are numbers that may differ by this.
  /// Then the answers are read from what the program prints, or its passing is the metric.
  std::optional<ProgramRule> program = {};
  std::vector<TextPattern> ignored =
      {};  ///< Removed from answer and target before they are compared.
};

/// Several tasks with one score: the mean over all their items.
struct TaskGroup {
  std::string name = {};
  std::vector<std::string> tasks = {};
};

/// What a folder of task files defines.
struct TaskCatalogue {
  std::map<std::string, Task> tasks;
  std::map<std::string, TaskGroup> groups;
};

/// Adds what one task file defines: a task, a family of tasks (`[subsets]`), or a group.
/// @throws Error naming the file and the key for unknown keys, missing or contradictory ones.
void add_task_file(const std::filesystem::path& file, TaskCatalogue& catalogue);

/// Reads all *.toml of a folder. @throws Error as above, and where a group names an unknown task.
TaskCatalogue read_task_folder(const std::filesystem::path& folder);

/// Adds the tasks of the user's own .toml files among `names`.
/// @return the names, each file replaced by what it defines.
std::vector<std::string> add_own_tasks(const std::vector<std::string>& names,
                                       TaskCatalogue& catalogue);

/// The names of the tasks that `names` (tasks and groups) stand for, each once, in order.
/// @throws Error for a name that is neither, with the nearest one.
std::vector<std::string> resolve_tasks(const TaskCatalogue& catalogue,
                                       const std::vector<std::string>& names);

}  // namespace slayer
