#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <memory>

#include "slayer/core/error.h"
#include "slayer/eval/metrics.h"
#include "slayer/eval/request_encoding.h"
#include "slayer/probe/probe_set.h"

namespace slayer {
namespace {

/// Of the right answer, or of all right ones together.
double loglikelihood_of_right(const Item& item, std::span<const SequenceScore> scores) {
  if (item.right.empty()) {
    return scores[static_cast<size_t>(item.gold.value_or(0))].loglikelihood;
  }
  double largest = -INFINITY;
  for (size_t choice = 0; choice < scores.size(); ++choice) {
    largest = item.right[choice] ? std::max(largest, scores[choice].loglikelihood) : largest;
  }
  double sum = 0.0;
  for (size_t choice = 0; choice < scores.size(); ++choice) {
    sum += item.right[choice] ? std::exp(scores[choice].loglikelihood - largest) : 0.0;
  }
  return largest + std::log(sum);
}

}  // namespace

ProbeSet task_set(const Task& task,
                  const std::filesystem::path& data_dir,
                  const ItemOptions& options,
                  const Tokenizer& tokenizer,
                  int64_t max_position_embeddings) {
  if (task.kind != TaskKind::kMultipleChoice && task.kind != TaskKind::kLoglikelihood) {
    throw Error({.file = task.file,
                 .item = task.name,
                 .found = "a task of generated or whole texts",
                 .expected = "one with answers to score: multiple choice or loglikelihood"});
  }
  ProbeSet set{.name = task.name,
               .measures = {{.name = "acc", .higher_is_better = true},
                            {.name = "loglikelihood", .higher_is_better = true}},
               .deciding_measure = 1};
  const auto usable = std::make_shared<std::vector<Item>>();
  const RequestEncoder encoder(tokenizer, max_position_embeddings);
  std::string problem;
  for (Item& item : read_items(task, data_dir, options)) {
    try {
      if (item.problem.empty()) {
        set.groups.push_back(encoder.pairs(item.requests).sequences);
        usable->push_back(std::move(item));
      }
    } catch (const Error& error) {  // An answer without tokens, or longer than the model's context.
      problem = error.what();
    }
  }
  if (usable->empty()) {
    throw Error({.file = task.file,
                 .item = task.name,
                 .found = "no item that can be scored",
                 .expected = "at least one",
                 .hint = problem});
  }
  set.units = usable->size();
  for (size_t item = 0; item < set.units; ++item) {
    set.unit_of_group.push_back(item);
    set.weights.push_back(1.0);
  }
  set.description = {{"items", set.units},
                     {"num_fewshot", few_shot_count(task, options)},
                     {"version", task.version},
                     {"intervals_over", "items"}};
  set.values = [task, usable](size_t group, std::span<const SequenceScore> scores) {
    const Item& item = (*usable)[group];
    const Json sample = score_sample(task, item, {scores.begin(), scores.end()});
    const std::string metric = sample.contains("acc") ? "acc" : task.metrics.front();
    return std::vector<double>{sample.at(metric).get<double>(),
                               loglikelihood_of_right(item, scores)};
  };
  return set;
}

}  // namespace slayer
