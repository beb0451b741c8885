#include "slayer/eval/compare.h"

#include <algorithm>
#include <fmt/format.h>
#include <functional>
#include <iterator>
#include <map>
#include <set>

#include "slayer/core/error.h"

namespace slayer {
namespace {

/// Columns of the items that are no metrics of their own.
const std::set<std::string> kNoMetrics{
    "doc_id", "gold", "words", "bytes", "tokens", "question", "expected", "said"};

/// One metric of both evaluations, item by item, where both have a value.
struct Pairs {
  std::vector<int64_t> doc_ids;
  std::vector<double> base;
  std::vector<double> changed;
  std::vector<double> weights;  ///< Tokens, for a loss; otherwise ones.

  void append(const Pairs& other) {
    std::ranges::copy(other.doc_ids, std::back_inserter(doc_ids));
    std::ranges::copy(other.base, std::back_inserter(base));
    std::ranges::copy(other.changed, std::back_inserter(changed));
    std::ranges::copy(other.weights, std::back_inserter(weights));
  }

  std::vector<double> differences() const {
    std::vector<double> result(base.size());
    std::ranges::transform(changed, base, result.begin(), std::minus{});
    return result;
  }
};

/// What counts as one in a table and in forgetting: a task, or a group's tasks with all their
/// items.
struct Unit {
  std::string name;
  std::vector<std::string> tasks;
};

[[noreturn]] void fail(const std::string& task, std::string found, std::string expected) {
  throw Error({.item = fmt::format("task {}", task),
               .found = std::move(found),
               .expected = std::move(expected)});
}

Pairs pair_items(const Json& base, const Json& changed, const std::string& metric) {
  Pairs pairs;
  const bool is_loss = base.contains("tokens");
  for (size_t i = 0; i < base[metric].size(); ++i) {
    if (!base[metric][i].is_number() || !changed[metric][i].is_number()) {
      continue;
    }
    const double weight = is_loss ? base["tokens"][i].get<double>() : 1.0;
    if (weight <= 0.0) {
      continue;
    }
    pairs.doc_ids.push_back(base.contains("doc_id") ? base["doc_id"][i].get<int64_t>()
                                                    : static_cast<int64_t>(i));
    pairs.base.push_back(base[metric][i].get<double>());
    pairs.changed.push_back(changed[metric][i].get<double>());
    pairs.weights.push_back(weight);
  }
  return pairs;
}

double ratio(const std::vector<double>& values, const std::vector<double>& weights) {
  return mean(values) / mean(weights);
}

bool is_right_or_wrong(const std::vector<double>& values) {
  return std::ranges::all_of(values, [](double value) { return value == 0.0 || value == 1.0; });
}

MetricChange change_of(const std::string& task,
                       const std::string& metric,
                       const Pairs& pairs,
                       const BootstrapOptions& options) {
  MetricChange change{
      .task = task, .metric = metric, .interval = {}, .p_value = {}, .gained = {}, .lost = {}};
  change.base = ratio(pairs.base, pairs.weights);
  change.changed = ratio(pairs.changed, pairs.weights);
  change.difference = change.changed - change.base;
  change.interval = bootstrap_ratio(pairs.differences(), pairs.weights, options);
  change.items = std::ssize(pairs.base);
  if (is_right_or_wrong(pairs.base) && is_right_or_wrong(pairs.changed)) {
    for (size_t i = 0; i < pairs.base.size(); ++i) {
      if (pairs.changed[i] > pairs.base[i]) {
        change.gained.push_back(pairs.doc_ids[i]);
      } else if (pairs.changed[i] < pairs.base[i]) {
        change.lost.push_back(pairs.doc_ids[i]);
      }
    }
    change.p_value = mcnemar_exact(std::ssize(change.gained), std::ssize(change.lost));
  }
  return change;
}

/// The items of both evaluations under a task's name, known to be the same items.
std::pair<const Json*, const Json*> items_of(const EvaluationFile& base,
                                             const EvaluationFile& changed,
                                             const std::string& task) {
  for (const EvaluationFile* const file : {&base, &changed}) {
    if (!file->json()["items"].contains(task)) {
      fail(task, "nothing in one of the evaluations", "this task in both");
    }
  }
  const Json& first = base.json()["configs"][task];
  const Json& second = changed.json()["configs"][task];
  for (const auto& [key, value] : first.items()) {
    if (!second.contains(key) || second[key] != value) {
      fail(task,
           fmt::format("{} {} and {}",
                       key,
                       compact_text(value),
                       second.contains(key) ? compact_text(second[key]) : "nothing"),
           "the same in both evaluations");
    }
  }
  const Json& base_items = base.json()["items"][task];
  const Json& changed_items = changed.json()["items"][task];
  for (const char* const identity : {"doc_id", "tokens"}) {
    if (base_items.contains(identity) != changed_items.contains(identity) ||
        (base_items.contains(identity) && base_items[identity] != changed_items[identity])) {
      fail(task, "other items in the two evaluations", "the same items");
    }
  }
  return {&base_items, &changed_items};
}

/// Share of right answers: what forgetting is counted in.
bool is_accuracy(const std::string& metric) {
  return metric == "acc" || metric == "pass@1" || metric.starts_with("exact_match");
}

/// The items that flipped, with their texts: those that became right, then those that became wrong.
std::vector<Flip> flips_of(const std::string& task,
                           const Pairs& pairs,
                           const Json& base,
                           const Json& changed) {
  std::map<int64_t, size_t> row_of;
  for (size_t row = 0; row < base["doc_id"].size(); ++row) {
    row_of[base["doc_id"][row].get<int64_t>()] = row;
  }
  const auto text = [](const Json& items, const char* key, size_t row) {
    const bool is_there = items.contains(key) && items[key][row].is_string();
    return is_there ? items[key][row].get<std::string>() : std::string();
  };
  std::vector<Flip> flips;
  for (const double direction : {1.0, -1.0}) {
    for (size_t i = 0; i < pairs.base.size(); ++i) {
      if (pairs.changed[i] - pairs.base[i] != direction) {
        continue;  // A share of probability moves, it does not flip.
      }
      const size_t row = row_of.at(pairs.doc_ids[i]);
      flips.push_back({.task = task,
                       .doc_id = pairs.doc_ids[i],
                       .is_gain = direction > 0.0,
                       .question = text(base, "question", row),
                       .expected = text(base, "expected", row),
                       .base_said = text(base, "said", row),
                       .changed_said = text(changed, "said", row)});
    }
  }
  return flips;
}

std::vector<std::string> metrics_of(const Json& base, const Json& changed) {
  std::vector<std::string> metrics;
  for (const auto& [name, unused] : base.items()) {
    if (!kNoMetrics.contains(name) && changed.contains(name)) {
      metrics.push_back(name);
    }
  }
  return metrics;
}

/// The groups that both evaluations were asked for, by name.
std::map<std::string, std::vector<std::string>> common_groups(const EvaluationFile& base,
                                                              const EvaluationFile& changed) {
  std::map<std::string, std::vector<std::string>> groups;
  const Json of_base = base.json().value("groups", Json::object());
  const Json of_changed = changed.json().value("groups", Json::object());
  for (const auto& [name, tasks] : of_base.items()) {
    if (of_changed.value(name, Json()) == tasks) {
      groups[name] = tasks.get<std::vector<std::string>>();
    }
  }
  return groups;
}

/// Which tasks and groups are looked at, as the domain's and as general ones.
class Selection final {
 public:
  Selection(const EvaluationFile& base,
            const EvaluationFile& changed,
            const CompareOptions& options)
      : groups_(common_groups(base, changed)) {
    for (const auto& [task, unused] : base.json()["items"].items()) {
      if (changed.json()["items"].contains(task)) {
        common_.push_back(task);
      }
    }
    std::ranges::transform(options.domain_tasks,
                           std::back_inserter(domain),
                           [this](const std::string& name) { return unit(name); });
    if (options.general_tasks.empty()) {
      take_others();
    } else {
      std::ranges::transform(options.general_tasks,
                             std::back_inserter(general),
                             [this](const std::string& name) { return unit(name); });
    }
  }

  bool has_common_tasks() const { return !common_.empty(); }

  std::vector<Unit> domain;
  std::vector<Unit> general;

 private:
  Unit unit(const std::string& name) const {
    const auto group = groups_.find(name);
    return {.name = name, .tasks = group == groups_.end() ? std::vector{name} : group->second};
  }

  /// All that is not the domain's: each group as one, then the tasks that are in none.
  void take_others() {
    std::set<std::string> taken;
    for (const Unit& unit : domain) {
      taken.insert(unit.tasks.begin(), unit.tasks.end());
    }
    const auto is_taken = [&taken](const std::string& task) { return taken.contains(task); };
    for (const auto& [name, tasks] : groups_) {
      Unit rest{.name = name, .tasks = {}};
      std::ranges::remove_copy_if(tasks, std::back_inserter(rest.tasks), is_taken);
      if (!rest.tasks.empty()) {
        rest.name += rest.tasks.size() < tasks.size() ? " (the rest)" : "";
        taken.insert(rest.tasks.begin(), rest.tasks.end());
        general.push_back(rest);
      }
    }
    for (const std::string& task : common_) {
      if (!is_taken(task)) {
        general.push_back({.name = task, .tasks = {task}});
      }
    }
  }

  std::map<std::string, std::vector<std::string>> groups_;
  std::vector<std::string> common_;
};

/// What one unit adds to a comparison.
struct UnitChange {
  std::vector<MetricChange> metrics;
  std::vector<double> main_differences;  ///< Of the main metric, the first accuracy; or empty.
  std::vector<Flip> flips;               ///< Of the same.
};

UnitChange compare_unit(const EvaluationFile& base,
                        const EvaluationFile& changed,
                        const Unit& unit,
                        const BootstrapOptions& options) {
  std::vector<std::pair<const Json*, const Json*>> items;
  for (const std::string& task : unit.tasks) {
    items.push_back(items_of(base, changed, task));
  }
  UnitChange change;
  for (const std::string& metric : metrics_of(*items.front().first, *items.front().second)) {
    Pairs all;
    std::vector<Pairs> of_tasks;
    for (const auto& [base_items, changed_items] : items) {
      if (base_items->contains(metric) && changed_items->contains(metric)) {
        of_tasks.push_back(pair_items(*base_items, *changed_items, metric));
        all.append(of_tasks.back());
      }
    }
    if (all.base.empty()) {
      continue;
    }
    change.metrics.push_back(change_of(unit.name, metric, all, options));
    if (!is_accuracy(metric) || !change.main_differences.empty() ||
        of_tasks.size() < items.size()) {
      continue;
    }
    change.main_differences = all.differences();
    for (size_t i = 0; i < items.size(); ++i) {
      std::ranges::move(flips_of(unit.tasks[i], of_tasks[i], *items[i].first, *items[i].second),
                        std::back_inserter(change.flips));
    }
  }
  return change;
}

}  // namespace

Comparison compare_evaluations(const EvaluationFile& base,
                               const EvaluationFile& changed,
                               const std::string& name,
                               const CompareOptions& options) {
  const Selection selection(base, changed, options);
  if (!selection.has_common_tasks()) {
    throw Error({.file = name,
                 .item = "items",
                 .found = "no task of the base evaluation",
                 .expected = "at least one in common"});
  }
  Comparison comparison{.name = name,
                        .domain = {},
                        .general = {},
                        .forgetting = {},
                        .forgetting_interval = {},
                        .flips = {}};
  std::vector<std::vector<double>> drops;
  for (const auto* const units : {&selection.domain, &selection.general}) {
    const bool is_general = units == &selection.general;
    auto& table = is_general ? comparison.general : comparison.domain;
    for (const Unit& unit : *units) {
      UnitChange change = compare_unit(base, changed, unit, options.bootstrap);
      std::ranges::move(change.metrics, std::back_inserter(table));
      std::ranges::move(change.flips, std::back_inserter(comparison.flips));
      if (is_general && !change.main_differences.empty()) {
        std::ranges::transform(
            change.main_differences, change.main_differences.begin(), std::negate{});
        drops.push_back(std::move(change.main_differences));
      }
    }
  }
  if (!drops.empty()) {
    std::vector<double> means(drops.size());
    std::ranges::transform(drops, means.begin(), [](const auto& task) { return mean(task); });
    comparison.forgetting = mean(means);
    comparison.forgetting_interval = bootstrap_mean_of_means(drops, options.bootstrap);
  }
  return comparison;
}

}  // namespace slayer
