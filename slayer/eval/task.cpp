#include "slayer/eval/task.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <set>

#include "slayer/core/error.h"
#include "slayer/core/json.h"
#include "slayer/core/toml.h"

namespace slayer {
namespace {

constexpr int64_t kMostTokens = 1'000'000;

/// A kind's name in task files and the metrics that it can have.
struct KindInfo {
  TaskKind kind;
  std::string_view name;
  std::vector<std::string_view> metrics;
};

const std::array<KindInfo, 4>& kinds() {
  static const std::array<KindInfo, 4> table{
      KindInfo{TaskKind::kMultipleChoice, "multiple_choice", {"acc", "acc_norm"}},
      KindInfo{TaskKind::kLoglikelihood, "loglikelihood", {"acc", "perplexity"}},
      KindInfo{TaskKind::kRolling,
               "rolling_loglikelihood",
               {"word_perplexity", "byte_perplexity", "bits_per_byte"}},
      KindInfo{TaskKind::kGenerate, "generate", {"exact_match"}}};
  return table;
}

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  for (size_t at = text.find(what); at != std::string::npos;
       at = text.find(what, at + with.size())) {
    text.replace(at, what.size(), with);
  }
}

/// Puts a subset's name where the file says `{subset}`.
std::string with_subset(std::string text, const std::string& subset) {
  std::string words = subset;
  std::ranges::replace(words, '_', ' ');
  replace_all(text, "{subset}", subset);
  replace_all(text, "{subset|spaces}", words);
  return text;
}

/// Reads one task file's tables into a Task.
class TaskReader final {
 public:
  TaskReader(const Json& json, const std::string& file, const std::string& subset)
      : root_(json, file), file_(file), subset_(subset) {
    task_.file = file;
  }

  Task read() {
    root_.refuse_unknown_keys({"task",
                               "version",
                               "source",
                               "kind",
                               "metrics",
                               "data",
                               "few_shot",
                               "prompt",
                               "clean",
                               "generation",
                               "group",
                               "subsets"});
    task_.name = with_subset(root_.string("task"), subset_);
    task_.version = root_.number("version");
    task_.source = root_.string("source");
    read_kind();
    read_data();
    read_prompt();
    task_.clean = rules(root_, "clean");
    if (task_.kind == TaskKind::kGenerate) {
      read_generation();
    } else if (root_.has("generation")) {
      root_.fail("generation", "a table", "none: only kind \"generate\" has it");
    }
    return std::move(task_);
  }

 private:
  std::vector<std::string> strings(const JsonObject& object, std::string_view key) const {
    std::vector<std::string> values;
    for (const Json& value : object.array(key)) {
      if (!value.is_string()) {
        object.fail(key, printable(value.dump()), "an array of strings");
      }
      values.push_back(value.get<std::string>());
    }
    return values;
  }

  Template text_template(const JsonObject& object, std::string_view key) const {
    return Template(object.string(key), file_, "prompt." + std::string(key));
  }

  std::optional<Template> optional_template(const JsonObject& object, std::string_view key) const {
    return object.has(key) ? std::optional(text_template(object, key)) : std::nullopt;
  }

  /// An array of templates, or a string that names a list column.
  std::vector<Template> alternatives(const JsonObject& object, std::string_view key) const {
    std::vector<Template> templates;
    if (object.json()[std::string(key)].is_string()) {
      templates.push_back(text_template(object, key));
      if (!templates.front().is_one_value()) {
        object.fail(key, object.string(key), "an array, or one placeholder for a list column");
      }
      return templates;
    }
    for (const std::string& text : strings(object, key)) {
      templates.emplace_back(text, file_, "prompt." + std::string(key));
    }
    if (templates.size() < 2) {
      object.fail(key, fmt::format("{} entries", templates.size()), "at least two");
    }
    return templates;
  }

  std::vector<TextRule> rules(const JsonObject& object, std::string_view key) const {
    std::vector<TextRule> rules;
    if (!object.has(key)) {
      return rules;
    }
    for (const Json& entry : object.array(key)) {
      const std::string item = fmt::format("{}[{}]", key, rules.size());
      const JsonObject rule(entry, file_, item);
      rule.refuse_unknown_keys({"replace", "pattern", "with"});
      TextRule& added = rules.emplace_back();
      added.with = rule.string("with");
      if (rule.has("replace") == rule.has("pattern")) {
        rule.fail("replace", "both or neither of replace and pattern", "one of them");
      }
      if (rule.has("pattern")) {
        added.pattern.emplace(rule.string("pattern"), file_, item + ".pattern");
      } else if (added.literal = rule.string("replace"); added.literal.empty()) {
        rule.fail("replace", "an empty text", "a text to replace");
      }
    }
    return rules;
  }

  void read_kind() {
    const std::string name = root_.string("kind");
    const auto kind = std::ranges::find(kinds(), name, &KindInfo::name);
    if (kind == kinds().end()) {
      std::vector<std::string_view> names;
      std::ranges::transform(kinds(), std::back_inserter(names), &KindInfo::name);
      root_.fail("kind", printable(name), fmt::format("one of {}", fmt::join(names, ", ")));
    }
    task_.kind = kind->kind;
    task_.metrics = strings(root_, "metrics");
    for (const std::string& metric : task_.metrics) {
      if (std::ranges::find(kind->metrics, metric) == kind->metrics.end()) {
        root_.fail("metrics", printable(metric), fmt::format("{}", fmt::join(kind->metrics, ", ")));
      }
    }
    if (task_.metrics.empty()) {
      root_.fail("metrics", "none", "at least one");
    }
  }

  void read_data() {
    const JsonObject data = root_.object("data");
    data.refuse_unknown_keys({"path", "split"});
    task_.data_path = with_subset(data.string("path"), subset_);
    task_.split = data.string("split");
    if (!root_.has("few_shot")) {
      return;
    }
    const JsonObject few_shot = root_.object("few_shot");
    few_shot.refuse_unknown_keys({"split", "count", "pick", "skip_item"});
    const std::string pick = few_shot.string("pick");
    if (pick != "random" && pick != "first") {
      few_shot.fail("pick", printable(pick), "random or first");
    }
    task_.few_shot = {.split = few_shot.string("split"),
                      .count = few_shot.integer_or("count", 0, 1000, 0),
                      .is_random = pick == "random",
                      .skips_item = few_shot.boolean_or("skip_item", false)};
  }

  void read_prompt() {
    const JsonObject prompt = root_.object("prompt");
    prompt.refuse_unknown_keys({"description",
                                "description_file",
                                "description_source",
                                "text",
                                "target_delimiter",
                                "choices",
                                "contexts",
                                "continuation",
                                "gold",
                                "gold_among",
                                "right",
                                "target"});
    task_.description = with_subset(prompt.string_or("description", ""), subset_);
    task_.description_file = prompt.string_or("description_file", "");
    task_.description_source = prompt.string_or("description_source", "");
    task_.target_delimiter = prompt.string_or("target_delimiter", " ");
    const bool has_contexts = prompt.has("contexts");
    if (!has_contexts) {
      task_.text = text_template(prompt, "text");
    }
    if (task_.kind == TaskKind::kMultipleChoice) {
      read_choices(prompt, has_contexts);
      return;
    }
    for (const std::string_view key :
         {"choices", "contexts", "continuation", "gold", "gold_among", "right"}) {
      if (prompt.has(key)) {
        prompt.fail(key, "a value", "none: only kind \"multiple_choice\" has it");
      }
    }
    task_.target = optional_template(prompt, "target");
    if (task_.target.has_value() == (task_.kind == TaskKind::kRolling)) {
      prompt.fail("target",
                  task_.target ? "a value" : "nothing",
                  task_.target ? "none: the text itself is scored" : "this key");
    }
  }

  void read_choices(const JsonObject& prompt, bool has_contexts) {
    if (has_contexts == prompt.has("choices") || has_contexts != prompt.has("continuation")) {
      prompt.fail("choices",
                  "neither choices alone nor contexts with continuation",
                  "text and choices, or contexts and continuation");
    }
    if (has_contexts) {
      task_.contexts = alternatives(prompt, "contexts");
      task_.continuation = text_template(prompt, "continuation");
    } else {
      task_.choices = alternatives(prompt, "choices");
    }
    if (prompt.has("gold") == prompt.has("right")) {
      prompt.fail("gold", "both or neither of gold and right", "one of them");
    }
    if (prompt.has("right")) {
      task_.right = text_template(prompt, "right");
    } else if (prompt.json()["gold"].is_number_integer()) {
      task_.gold.emplace(prompt.json()["gold"].dump(), file_, "prompt.gold");
    } else {
      task_.gold = text_template(prompt, "gold");
    }
    if (prompt.has("gold_among")) {
      task_.gold_among = alternatives(prompt, "gold_among");
    }
  }

  void read_generation() {
    const JsonObject generation = root_.object("generation");
    generation.refuse_unknown_keys({"stops", "max_new_tokens", "filters", "ignore_case", "ignore"});
    task_.stops = strings(generation, "stops");
    task_.max_new_tokens = generation.integer_or("max_new_tokens", 1, kMostTokens, 256);
    task_.ignores_case = generation.boolean_or("ignore_case", false);
    if (generation.has("ignore")) {
      for (const std::string& pattern : strings(generation, "ignore")) {
        task_.ignored.emplace_back(pattern, file_, "generation.ignore");
      }
    }
    for (const Json& entry : generation.array("filters")) {
      const std::string item = fmt::format("generation.filters[{}]", task_.filters.size());
      const JsonObject filter(entry, file_, item);
      filter.refuse_unknown_keys({"name", "pattern", "match"});
      AnswerFilter& added = task_.filters.emplace_back();
      added.name = filter.string("name");
      added.match = filter.integer_or("match", -1, kMostTokens, 0);
      if (filter.has("pattern")) {
        added.pattern.emplace(filter.string("pattern"), file_, item + ".pattern");
      }
    }
    if (task_.filters.empty()) {
      generation.fail("filters", "none", "at least one");
    }
  }

  JsonObject root_;
  std::string file_;
  std::string subset_;
  Task task_;
};

void add_task(Task task, TaskCatalogue& catalogue) {
  const std::string file = task.file;
  const std::string name = task.name;
  const auto [existing, is_new] = catalogue.tasks.emplace(name, std::move(task));
  if (!is_new) {
    throw Error({.file = file,
                 .item = "task",
                 .found = name,
                 .expected = "a new name",
                 .hint = "also defined in " + existing->second.file});
  }
}

void add_family(const Json& json, const std::string& file, TaskCatalogue& catalogue) {
  const JsonObject root(json, file);
  TaskGroup whole{.name = root.string("group"), .tasks = {}};
  for (const auto& [part, subsets] : root.object("subsets").json().items()) {
    TaskGroup group{.name = whole.name + "_" + part, .tasks = {}};
    for (const Json& subset : root.object("subsets").array(part)) {
      if (!subset.is_string()) {
        root.fail("subsets." + part, printable(subset.dump()), "an array of strings");
      }
      Task task = TaskReader(json, file, subset.get<std::string>()).read();
      group.tasks.push_back(task.name);
      whole.tasks.push_back(task.name);
      add_task(std::move(task), catalogue);
    }
    catalogue.groups[group.name] = group;
  }
  catalogue.groups[whole.name] = whole;
}

}  // namespace

void add_task_file(const std::filesystem::path& file, TaskCatalogue& catalogue) {
  const Json json = read_toml_file(file);
  const JsonObject root(json, file.string());
  if (root.has("subsets")) {
    add_family(json, file.string(), catalogue);
  } else if (root.has("tasks")) {
    root.refuse_unknown_keys({"group", "tasks"});
    TaskGroup group{.name = root.string("group"), .tasks = {}};
    for (const Json& task : root.array("tasks")) {
      if (!task.is_string()) {
        root.fail("tasks", printable(task.dump()), "an array of strings");
      }
      group.tasks.push_back(task.get<std::string>());
    }
    catalogue.groups[group.name] = group;
  } else {
    add_task(TaskReader(json, file.string(), "").read(), catalogue);
  }
}

TaskCatalogue read_task_folder(const std::filesystem::path& folder) {
  std::set<std::filesystem::path> files;
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator(folder, failure)) {
    if (entry.path().extension() == ".toml") {
      files.insert(entry.path());
    }
  }
  if (files.empty()) {
    throw Error({.file = folder.string(), .found = "no .toml file", .expected = "task files"});
  }
  TaskCatalogue catalogue;
  for (const std::filesystem::path& file : files) {
    add_task_file(file, catalogue);
  }
  for (const auto& [name, group] : catalogue.groups) {
    for (const std::string& task : group.tasks) {
      if (!catalogue.tasks.contains(task)) {
        throw Error({.file = folder.string(),
                     .item = fmt::format("group {}", name),
                     .found = printable(task),
                     .expected = "a task of this folder"});
      }
    }
  }
  return catalogue;
}

std::vector<std::string> add_own_tasks(const std::vector<std::string>& names,
                                       TaskCatalogue& catalogue) {
  std::vector<std::string> resolved;
  for (const std::string& name : names) {
    if (!name.ends_with(".toml")) {
      resolved.push_back(name);
      continue;
    }
    TaskCatalogue own;
    add_task_file(name, own);
    for (auto& [task, definition] : own.tasks) {
      resolved.push_back(task);
      catalogue.tasks.insert_or_assign(task, std::move(definition));
    }
  }
  return resolved;
}

std::vector<std::string> resolve_tasks(const TaskCatalogue& catalogue,
                                       const std::vector<std::string>& names) {
  std::vector<std::string> resolved;
  const auto add = [&resolved](const std::string& name) {
    if (std::ranges::find(resolved, name) == resolved.end()) {
      resolved.push_back(name);
    }
  };
  for (const std::string& name : names) {
    if (const auto group = catalogue.groups.find(name); group != catalogue.groups.end()) {
      std::ranges::for_each(group->second.tasks, add);
    } else if (catalogue.tasks.contains(name)) {
      add(name);
    } else {
      std::vector<std::string_view> known;
      for (const auto& entry : catalogue.tasks) {
        known.push_back(entry.first);
      }
      for (const auto& entry : catalogue.groups) {
        known.push_back(entry.first);
      }
      const auto near = nearest_word(name, known);
      throw Error({.item = "--tasks",
                   .found = printable(name),
                   .expected = "a task, a group or a .toml file",
                   .hint = near ? fmt::format("did you mean {}?", *near) : ""});
    }
  }
  return resolved;
}

}  // namespace slayer
