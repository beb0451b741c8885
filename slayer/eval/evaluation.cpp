#include "slayer/eval/evaluation.h"

#include <algorithm>
#include <fmt/format.h>

#include "slayer/core/error.h"
#include "slayer/core/file.h"
#include "slayer/core/sha256.h"
#include "slayer/eval/generation.h"
#include "slayer/eval/metrics.h"
#include "slayer/eval/request_encoding.h"
#include "slayer/eval/sample_journal.h"

namespace slayer {
namespace {

Json config_of(const Task& task, const Tokenizer& tokenizer, const EvaluationOptions& options) {
  Json config = {{"version", task.version},
                 {"source", task.source},
                 {"num_fewshot", few_shot_count(task, options.items)},
                 {"seed", options.items.seed},
                 {"dtype", options.dtype},
                 {"adds_bos", !tokenizer.prefix_ids().empty()}};
  config["limit"] = options.items.limit ? Json(*options.items.limit) : Json(nullptr);
  if (task.kind == TaskKind::kGenerate) {
    config["max_new_tokens"] = task.max_new_tokens;
  }
  return config;
}

/// Items that are still to do, ready to be scored; those that cannot be are noted right away.
struct Pending {
  std::vector<const Item*> items;
  std::vector<SequenceGroup> groups;
};

void note_problem(SampleJournal& journal, Item item, const std::string& problem) {
  item.problem = problem;
  journal.add(problem_sample(item));
}

Pending encode_pending(const Task& task,
                       const std::vector<Item>& items,
                       const RequestEncoder& encoder,
                       SampleJournal& journal) {
  Pending pending;
  for (const Item& item : items) {
    if (journal.has(item.doc_id)) {
      continue;
    }
    if (!item.problem.empty()) {
      note_problem(journal, item, item.problem);
      continue;
    }
    try {
      pending.groups.push_back(task.kind == TaskKind::kRolling
                                   ? encoder.rolling(item.requests.front().continuation)
                                   : encoder.pairs(item.requests));
      pending.items.push_back(&item);
    } catch (const Error& error) {
      note_problem(journal, item, error.what());
    }
  }
  return pending;
}

void throw_if_stopped(const EvaluationOptions& options) {
  if (options.stop.stop_requested()) {
    throw Interrupted("run the same command again to go on from the items done");
  }
}

}  // namespace

TaskResult evaluate_task(const CausalLM& model,
                         const Tokenizer& tokenizer,
                         const Task& task,
                         const EvaluationOptions& options) {
  const std::vector<Item> items = read_items(task, options.data_dir, options.items);
  TaskResult result{.metrics = {}, .config = config_of(task, tokenizer, options), .samples = {}};
  const std::string key =
      sha256(options.model_hash + result.config.dump() + read_text_file(task.file) + task.name);
  SampleJournal journal(options.samples_folder / fmt::format("samples_{}.jsonl", task.name), key);
  const RequestEncoder encoder(tokenizer, model.config.max_position_embeddings);
  Progress progress(task.name, std::ssize(items), "items", options.progress);

  if (task.kind == TaskKind::kGenerate) {
    progress.resume_at(journal.size());
    generate_answers(model, tokenizer, task, items, options, encoder, journal, progress);
  } else {
    const Pending pending = encode_pending(task, items, encoder, journal);
    progress.resume_at(journal.size());
    score_groups(model,
                 pending.groups,
                 options.scoring,
                 [&](size_t group, const std::vector<SequenceScore>& scores) {
                   journal.add(score_sample(task, *pending.items[group], scores));
                   progress.advance(1);
                   throw_if_stopped(options);
                 });
  }
  progress.finish();
  result.samples = journal.finish();
  result.metrics = aggregate_samples(task, result.samples);
  return result;
}

}  // namespace slayer
