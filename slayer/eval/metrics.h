#pragma once

#include <string>
#include <vector>

#include "slayer/core/json.h"
#include "slayer/eval/item.h"
#include "slayer/eval/scoring.h"
#include "slayer/eval/task.h"

namespace slayer {

/// One line of samples_<task>.jsonl: {"doc_id", "loglikelihoods" or "generated", the metrics}, or
/// {"doc_id", "problem"} for an item that could not be used.
Json score_sample(const Task& task, const Item& item, const std::vector<SequenceScore>& scores);
Json score_generation(const Task& task, const Item& item, const std::string& generated);
Json problem_sample(const Item& item);

/// lm-evaluation-harness's metrics of a task from its samples: means with `_stderr`, perplexities
/// from sums; "items" and "problems" count what was scored and what could not be.
/// @throws Error when no sample was scored.
Json aggregate_samples(const Task& task, const std::vector<Json>& samples);

/// A group's score: means over the items of all its tasks, with the pooled standard error.
/// @param results of the group's tasks, from aggregate_samples.
Json aggregate_group(const std::vector<Json>& results);

}  // namespace slayer
