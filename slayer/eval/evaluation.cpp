#include "slayer/eval/evaluation.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "slayer/core/error.h"
#include "slayer/core/log.h"
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
  if (runs_programs(task)) {
    config["samples"] = sample_count(task, options);
  }
  return config;
}

/// Items that are still to do, ready to be scored; those that cannot be are noted right away.
struct Pending {
  std::vector<const Item*> items;
  std::vector<SequenceGroup> groups;
  std::vector<int64_t> cut_from;  ///< Of each, as EncodedGroup has it.
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
      EncodedGroup encoded =
          task.kind == TaskKind::kRolling
              ? EncodedGroup{.sequences = encoder.rolling(item.requests.front().continuation)}
              : encoder.pairs(item.requests);
      pending.groups.push_back(std::move(encoded.sequences));
      pending.cut_from.push_back(encoded.cut_from);
      pending.items.push_back(&item);
    } catch (const Error& error) {
      note_problem(journal, item, item.place + ": " + error.what());
    }
  }
  return pending;
}

void throw_if_stopped(const EvaluationOptions& options) {
  if (options.stop.stop_requested()) {
    throw Interrupted("run the same command again to go on from the items done");
  }
}

/// Of what is no number, an accuracy would say that the first choice is the likeliest.
void require_finite(const Task& task, const Item& item, const std::vector<SequenceScore>& scores) {
  for (const SequenceScore& score : scores) {
    if (!std::isfinite(score.loglikelihood)) {
      throw Error({.item = fmt::format("{}, item {}", task.name, item.doc_id),
                   .found = std::isnan(score.loglikelihood) ? "a loglikelihood of nan"
                                                            : "a loglikelihood of infinity",
                   .expected = "a number",
                   .hint = "float32 has a wider range than float16; a diverged model has none"});
    }
  }
}

/// Names the items that were left out or cut: the first, and where all are.
void warn_of_bad_items(const Task& task, const TaskResult& result, const std::string& samples) {
  for (const char* const kind : {"problem", "cut"}) {
    const auto has_it = [kind](const Json& sample) { return sample.contains(kind); };
    const auto count = std::ranges::count_if(result.samples, has_it);
    if (count > 0) {
      const Json& first = *std::ranges::find_if(result.samples, has_it);
      log_warning(fmt::format(
          "{}: {} of {} items {}, listed in {}; the first: {}",
          task.name,
          count,
          result.samples.size(),
          kind == std::string_view("cut") ? "were cut to the model's context" : "could not be used",
          samples,
          first[kind].get<std::string>()));
    }
  }
}

}  // namespace

int64_t sample_count(const Task& task, const EvaluationOptions& options) {
  return task.program ? options.num_samples.value_or(task.program->samples) : 1;
}

std::filesystem::path samples_path(const EvaluationOptions& options, const std::string& task) {
  return options.samples_folder / fmt::format("samples_{}.jsonl", task);
}

TaskResult evaluate_task(const CausalLM& model,
                         const Tokenizer& tokenizer,
                         const Task& task,
                         const EvaluationOptions& options) {
  if (runs_programs(task) && options.sandbox == nullptr) {
    throw Error({.item = fmt::format("task {}", task.name),
                 .found = "no permission to run the programs that the model writes",
                 .expected = "--allow-code-execution"});
  }
  const std::vector<Item> items = read_items(task, options.data_dir, options.items);
  TaskResult result{.metrics = {}, .config = config_of(task, tokenizer, options), .samples = {}};
  const std::string key = sha256(options.model_hash + compact_text(result.config) +
                                 content_hash(task, options.data_dir) + task.name);
  const std::filesystem::path samples = samples_path(options, task.name);
  SampleJournal journal(samples, key);
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
                   const Item& item = *pending.items[group];
                   require_finite(task, item, scores);
                   Json sample = score_sample(task, item, scores);
                   note_cut(sample, item, pending.cut_from[group], encoder.max_length());
                   journal.add(std::move(sample));
                   progress.advance(1);
                   throw_if_stopped(options);
                 });
  }
  progress.finish();
  result.samples = journal.finish();
  warn_of_bad_items(task, result, samples.string());
  result.metrics = aggregate_samples(task, result.samples);
  return result;
}

}  // namespace slayer
