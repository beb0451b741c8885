#pragma once

#include <string>
#include <vector>

#include "slayer/core/json.h"
#include "slayer/eval/item.h"
#include "slayer/eval/sandbox.h"
#include "slayer/eval/scoring.h"
#include "slayer/eval/task.h"

namespace slayer {

/// One line of samples_<task>.jsonl: {"doc_id", "loglikelihoods" or "generated", the metrics, and
/// for people "question", "choices", "expected" and "said"}, or {"doc_id", "problem"} for an item
/// that could not be used.
Json score_sample(const Task& task, const Item& item, const std::vector<SequenceScore>& scores);
Json score_generation(const Task& task, const Item& item, const std::string& generated);

/// Of an item for which programs were generated and run: exact_match reads what they print, pass@k
/// counts those that passed. With several programs "generated" is a list.
Json score_programs(const Task& task,
                    const Item& item,
                    const std::vector<std::string>& generated,
                    const std::vector<ProgramResult>& results);

/// Chance that at least one of `k` programs drawn from `samples`, of which `passed` passed, passes.
/// Source: Chen et al. 2021, arXiv 2107.03374, section 2.1.
double pass_at_k(int64_t samples, int64_t passed, int64_t k);

Json problem_sample(const Item& item);

/// Notes in a sample that a text of `cut_from` tokens (0: none) was longer than the `room` that the
/// model has and lost its front, as lm-evaluation-harness does it silently.
void note_cut(Json& sample, const Item& item, int64_t cut_from, int64_t room);

/// lm-evaluation-harness's metrics of a task from its samples: means with `_stderr`, perplexities
/// from sums; "items", "problems" and "cut" count what was scored, what could not be and what was
/// too long for the model and lost its front.
/// @throws Error when no sample was scored.
Json aggregate_samples(const Task& task, const std::vector<Json>& samples);

/// A group's score: means over the items of all its tasks, with the pooled standard error.
/// @param results of the group's tasks, from aggregate_samples.
Json aggregate_group(const std::vector<Json>& results);

}  // namespace slayer
