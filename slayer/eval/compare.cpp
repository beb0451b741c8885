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

  std::vector<double> differences() const {
    std::vector<double> result(base.size());
    std::ranges::transform(changed, base, result.begin(), std::minus{});
    return result;
  }
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
                       value.dump(),
                       second.contains(key) ? second[key].dump() : "nothing"),
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

/// The items that flipped, with their texts.
std::vector<Flip> flips_of(const MetricChange& change, const Json& base, const Json& changed) {
  std::map<int64_t, size_t> row_of;
  for (size_t row = 0; row < base["doc_id"].size(); ++row) {
    row_of[base["doc_id"][row].get<int64_t>()] = row;
  }
  const auto text = [](const Json& items, const char* key, size_t row) {
    const bool is_there = items.contains(key) && items[key][row].is_string();
    return is_there ? items[key][row].get<std::string>() : std::string();
  };
  std::vector<Flip> flips;
  for (const auto* const doc_ids : {&change.gained, &change.lost}) {
    for (const int64_t doc_id : *doc_ids) {
      const size_t row = row_of.at(doc_id);
      flips.push_back({.task = change.task,
                       .doc_id = doc_id,
                       .is_gain = doc_ids == &change.gained,
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

std::vector<std::string> common_tasks(const EvaluationFile& base, const EvaluationFile& changed) {
  std::vector<std::string> tasks;
  for (const auto& [task, unused] : base.json()["items"].items()) {
    if (changed.json()["items"].contains(task)) {
      tasks.push_back(task);
    }
  }
  return tasks;
}

}  // namespace

Comparison compare_evaluations(const EvaluationFile& base,
                               const EvaluationFile& changed,
                               const std::string& name,
                               const CompareOptions& options) {
  const std::vector<std::string> common = common_tasks(base, changed);
  if (common.empty()) {
    throw Error({.file = name,
                 .item = "items",
                 .found = "no task of the base evaluation",
                 .expected = "at least one in common"});
  }
  const auto is_domain = [&](const std::string& task) {
    return std::ranges::find(options.domain_tasks, task) != options.domain_tasks.end();
  };
  std::vector<std::string> general = options.general_tasks;
  if (general.empty()) {
    std::ranges::remove_copy_if(common, std::back_inserter(general), is_domain);
  }
  Comparison comparison{.name = name,
                        .domain = {},
                        .general = {},
                        .forgetting = {},
                        .forgetting_interval = {},
                        .flips = {}};
  std::vector<std::vector<double>> drops;
  const auto add = [&](const std::string& task, bool is_general) {
    const auto [base_items, changed_items] = items_of(base, changed, task);
    bool has_main = false;  // A task's first accuracy is its main metric.
    for (const std::string& metric : metrics_of(*base_items, *changed_items)) {
      const Pairs pairs = pair_items(*base_items, *changed_items, metric);
      if (pairs.base.empty()) {
        continue;
      }
      auto& changes = is_general ? comparison.general : comparison.domain;
      changes.push_back(change_of(task, metric, pairs, options.bootstrap));
      if (!is_accuracy(metric) || has_main) {
        continue;
      }
      has_main = true;
      std::ranges::move(flips_of(changes.back(), *base_items, *changed_items),
                        std::back_inserter(comparison.flips));
      if (is_general) {
        drops.push_back(pairs.differences());
        std::ranges::transform(drops.back(), drops.back().begin(), std::negate{});
      }
    }
  };
  std::ranges::for_each(options.domain_tasks, [&](const auto& task) { add(task, false); });
  std::ranges::for_each(general, [&](const auto& task) { add(task, true); });
  if (!drops.empty()) {
    std::vector<double> means(drops.size());
    std::ranges::transform(drops, means.begin(), [](const auto& task) { return mean(task); });
    comparison.forgetting = mean(means);
    comparison.forgetting_interval = bootstrap_mean_of_means(drops, options.bootstrap);
  }
  return comparison;
}

}  // namespace slayer
