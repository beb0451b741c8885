#include "slayer/eval/task_reader.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "slayer/core/error.h"
#include "slayer/core/json.h"

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
      KindInfo{TaskKind::kMultipleChoice, "multiple_choice", {"acc", "acc_norm", "balanced_acc"}},
      KindInfo{TaskKind::kLoglikelihood, "loglikelihood", {"acc", "perplexity"}},
      KindInfo{TaskKind::kRolling,
               "rolling_loglikelihood",
               {"word_perplexity", "byte_perplexity", "bits_per_byte"}},
      KindInfo{TaskKind::kGenerate, "generate", {"exact_match", "pass@k"}}};
  return table;
}

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  for (size_t at = text.find(what); at != std::string::npos;
       at = text.find(what, at + with.size())) {
    text.replace(at, what.size(), with);
  }
}

/// Puts a subset's name where the file says `{subset}`, and what the file says of it for
/// `{subset|about}`.
std::string with_subset(std::string text, const std::string& subset, const std::string& about) {
  std::string words = subset;
  std::ranges::replace(words, '_', ' ');
  replace_all(text, "{subset}", subset);
  replace_all(text, "{subset|spaces}", words);
  replace_all(text, "{subset|about}", about);
  return text;
}

/// Reads one task file's tables into a Task.
class TaskReader final {
 public:
  TaskReader(const Json& json, const std::string& file, const std::string& subset)
      : root_(json, file), file_(file), subset_(subset) {
    task_.file = file;
    if (root_.has("about")) {
      about_ = root_.object("about").string(subset_);
    }
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
                               "program",
                               "group",
                               "subsets",
                               "about"});
    task_.name = expanded(root_.string("task"));
    task_.version = root_.number("version");
    task_.source = root_.string("source");
    read_kind();
    read_data();
    read_prompt();
    task_.clean = rules(root_, "clean");
    if (task_.kind == TaskKind::kGenerate) {
      read_generation();
    } else {
      for (const std::string_view key : {"generation", "program"}) {
        if (root_.has(key)) {
          root_.fail(key, "a table", "none: only kind \"generate\" has it");
        }
      }
    }
    return std::move(task_);
  }

 private:
  std::string expanded(const std::string& text) const {
    return subset_.empty() ? text : with_subset(text, subset_, about_);
  }

  std::vector<std::string> strings(const JsonObject& object, std::string_view key) const {
    std::vector<std::string> values;
    for (const Json& value : object.array(key)) {
      if (!value.is_string()) {
        object.fail(key, printable(compact_text(value)), "an array of strings");
      }
      values.push_back(value.get<std::string>());
    }
    return values;
  }

  Template text_template(const JsonObject& object, std::string_view key) const {
    return Template(expanded(object.string(key)), file_, "prompt." + std::string(key));
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
    task_.data_path = expanded(data.string("path"));
    task_.split = data.string("split");
    if (!root_.has("few_shot")) {
      return;
    }
    const JsonObject few_shot = root_.object("few_shot");
    few_shot.refuse_unknown_keys({"split", "count", "pick", "skip_item", "first_row"});
    const std::string pick = few_shot.string("pick");
    if (pick != "random" && pick != "first") {
      few_shot.fail("pick", printable(pick), "random or first");
    }
    task_.few_shot = {.split = few_shot.string("split"),
                      .count = few_shot.integer_or("count", 0, 1000, 0),
                      .is_random = pick == "random",
                      .skips_item = few_shot.boolean_or("skip_item", false),
                      .first_row = few_shot.integer_or("first_row", 0, kMostTokens, 0)};
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
    task_.description = expanded(prompt.string_or("description", ""));
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
    const bool needs_target = has_metric("exact_match") || !task_.few_shot.split.empty();
    if (task_.kind == TaskKind::kGenerate && !task_.target && !needs_target) {
      return;  // Whether a program passes needs none.
    }
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
      task_.gold.emplace(compact_text(prompt.json()["gold"]), file_, "prompt.gold");
    } else {
      task_.gold = text_template(prompt, "gold");
    }
    if (prompt.has("gold_among")) {
      task_.gold_among = alternatives(prompt, "gold_among");
    }
  }

  void read_generation() {
    const JsonObject generation = root_.object("generation");
    generation.refuse_unknown_keys(
        {"stops", "max_new_tokens", "filters", "ignore_case", "ignore", "tolerance"});
    task_.stops = strings(generation, "stops");
    task_.max_new_tokens = generation.integer_or("max_new_tokens", 1, kMostTokens, 256);
    task_.ignores_case = generation.boolean_or("ignore_case", false);
    if (generation.has("ignore")) {
      for (const std::string& pattern : strings(generation, "ignore")) {
        task_.ignored.emplace_back(pattern, file_, "generation.ignore");
      }
    }
    if (generation.has("tolerance")) {
      task_.tolerance = generation.number("tolerance");
    }
    read_program();
    if (!has_metric("exact_match")) {
      if (generation.has("filters")) {
        generation.fail("filters", "a table", "none: no answer is read for pass@k");
      }
      return;
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

  bool has_metric(std::string_view name) const {
    return std::ranges::find(task_.metrics, name) != task_.metrics.end();
  }

  void read_program() {
    if (has_metric("pass@k") && (task_.metrics.size() > 1 || !root_.has("program"))) {
      root_.fail("metrics", "pass@k", "it alone, and a table [program]");
    }
    if (!root_.has("program")) {
      return;
    }
    const JsonObject program = root_.object("program");
    program.refuse_unknown_keys(
        {"before", "after", "seconds", "samples", "temperature", "top_p", "k"});
    ProgramRule& rule = task_.program.emplace();
    rule.before = Template(program.string_or("before", ""), file_, "program.before");
    rule.after = Template(program.string_or("after", ""), file_, "program.after");
    rule.seconds = program.number_or("seconds", rule.seconds);
    if (!(rule.seconds > 0.0 && rule.seconds <= 3600.0)) {
      program.fail("seconds", fmt::format("{}", rule.seconds), "above 0, at most 3600");
    }
    rule.samples = program.integer_or("samples", 1, 10'000, 1);
    rule.temperature = program.number_or("temperature", rule.temperature);
    rule.top_p = program.number_or("top_p", rule.top_p);
    if (program.has("k")) {
      rule.k.clear();
      for (const Json& k : program.array("k")) {
        if (!k.is_number_integer() || k.get<int64_t>() < 1) {
          program.fail("k", printable(compact_text(k)), "an array of integers from 1 up");
        }
        rule.k.push_back(k.get<int64_t>());
      }
    }
  }

  JsonObject root_;
  std::string file_;
  std::string subset_;
  std::string about_ = {};  ///< What the file says of the subset.
  Task task_;
};

}  // namespace

Task read_task(const Json& json, const std::string& file, const std::string& subset) {
  return TaskReader(json, file, subset).read();
}

}  // namespace slayer
