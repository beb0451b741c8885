#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "slayer/core/json.h"
#include "slayer/eval/evaluation_file.h"
#include "slayer/eval/statistics.h"

namespace slayer {

/// Tasks and groups by name; a group that was evaluated counts as one task of all its items.
struct CompareOptions {
  std::vector<std::string> domain_tasks = {};  ///< What was to be gained.
  std::vector<std::string> general_tasks =
      {};  ///< What was not to be lost; empty: all other tasks.
  BootstrapOptions bootstrap = {};
};

/// One metric of one task or group, on the items that both evaluations scored.
struct MetricChange {
  std::string task;
  std::string metric;
  double base = 0.0;
  double changed = 0.0;
  double difference = 0.0;  ///< changed - base.
  Interval interval;        ///< Paired bootstrap over items.
  int64_t items = 0;
  /// Accuracies only: McNemar's exact test, and which items became right or wrong (of a group, the
  /// numbers of its tasks one after the other).
  std::optional<double> p_value;
  std::vector<int64_t> gained;
  std::vector<int64_t> lost;
};

/// An item that became right or wrong, to read. Texts are empty where an evaluation has none.
struct Flip {
  std::string task;
  int64_t doc_id = 0;
  bool is_gain = false;
  std::string question;
  std::string expected;      ///< What is right.
  std::string base_said;     ///< What the base model answered.
  std::string changed_said;  ///< What the new one answers.
};

/// A new evaluation against its base.
struct Comparison {
  std::string name;  ///< The new one's file name.
  std::vector<MetricChange> domain;
  std::vector<MetricChange> general;
  /// Mean drop of the general tasks' accuracies (each task's main metric counts once), positive
  /// where something was forgotten, with its paired interval; empty without general accuracies.
  std::optional<double> forgetting;
  Interval forgetting_interval;
  std::vector<Flip> flips;  ///< Of each task's main metric, in the order of the tasks and items.
};

/// Pairs the items of two evaluations. A task's metrics are those that both have item by item.
/// @throws Error when the files have no task in common, a named task is missing, or a task was run
/// under another config (shots, version, limit) or on other items.
Comparison compare_evaluations(const EvaluationFile& base,
                               const EvaluationFile& changed,
                               const std::string& name,
                               const CompareOptions& options);

Json comparison_to_json(const Comparison& comparison);

/// Two blocks, domain and general tasks, then forgetting, then the first `flips` items of each task
/// that became right and as many that became wrong.
std::string comparison_to_markdown(const Comparison& comparison, int64_t flips);
std::string comparison_to_text(const Comparison& comparison, int64_t flips);

}  // namespace slayer
