#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <memory>
#include <optional>

#include "slayer/checkpoint/checkpoint.h"
#include "slayer/core/error.h"
#include "slayer/core/file.h"
#include "slayer/core/log.h"
#include "slayer/data/documents.h"
#include "slayer/eval/evaluation.h"
#include "slayer/eval/evaluation_file.h"
#include "slayer/eval/perplexity.h"
#include "slayer/eval/sample_journal.h"
#include "slayer/eval/task_folder.h"
#include "slayer/model/device.h"
#include "slayer/model/generate.h"
#include "slayer/model/load.h"
#include "slayer/tokenizer/tokenizer.h"

#include "cli/command.h"

namespace slayer::cli {
namespace {

struct EvalOptions {
  std::string checkpoint;
  std::vector<std::string> tasks;
  std::string tasks_dir = default_task_folder().string();
  std::string data_dir;
  std::vector<std::string> text;
  std::string text_field = "text";
  int64_t seq_len = 1024;
  std::optional<int64_t> limit;
  std::optional<int64_t> num_fewshot;
  uint32_t seed = 1234;
  std::string out;
  std::string device = "cpu";
  std::string dtype = "float32";
  int threads = 0;
  int64_t batch_size = 32;
  bool allows_code_execution = false;
  std::string sandbox = "bubblewrap";
  std::optional<int64_t> samples;
  bool force = false;
};

/// What is to be run, checked before the model is loaded.
struct Job {
  TaskCatalogue catalogue;
  std::vector<std::string> names;  ///< Tasks and groups.
  std::vector<std::string> tasks;  ///< The tasks that they stand for.
  std::unique_ptr<Sandbox> sandbox;
};

/// A checkpoint ready to be evaluated.
struct LoadedModel {
  CausalLM model;
  Tokenizer tokenizer;
  std::string hash;
  std::vector<int64_t> stop_tokens;
};

LoadedModel load(const EvalOptions& options) {
  const Checkpoint checkpoint = Checkpoint::open(options.checkpoint);
  return {.model = load_causal_lm(
              checkpoint, scalar_type_from_name(options.dtype), device_from_name(options.device)),
          .tokenizer = Tokenizer::from_side_files(checkpoint.side_files(), options.checkpoint),
          .hash = checkpoint.hash(),
          .stop_tokens = stop_tokens(checkpoint)};
}

/// A text's name in the results: its file's, or its path where another file is called the same.
std::string text_name(const std::filesystem::path& path,
                      const std::vector<std::filesystem::path>& all) {
  const auto is_same = [&](const auto& other) { return other.filename() == path.filename(); };
  return std::ranges::count_if(all, is_same) > 1 ? path.string() : path.filename().string();
}

void evaluate_texts(const EvalOptions& options,
                    const LoadedModel& loaded,
                    const Context& context,
                    EvaluationFile& file) {
  const std::vector<std::filesystem::path> paths = find_document_files(options.text);
  for (const std::filesystem::path& path : paths) {
    std::vector<Document> documents;
    read_documents(path, {.text_field = options.text_field}, [&](Document document) {
      documents.push_back(std::move(document));
    });
    const auto tokens = encode_documents(loaded.tokenizer, documents);
    const std::string name = text_name(path, paths);
    Progress progress(
        name, count_scored_tokens(tokens, options.seq_len), "tokens", context.progress_style());
    PerplexityOptions perplexity{
        .seq_len = options.seq_len, .stop = context.stop, .scoring = {}, .bootstrap = {}};
    perplexity.scoring.batch_size = options.batch_size;
    const PerplexityResult result = measure_perplexity(loaded.model, tokens, perplexity, progress);
    progress.finish();
    file.add_text(name,
                  result,
                  {{"seq_len", options.seq_len},
                   {"adds_bos", !loaded.tokenizer.prefix_ids().empty()},
                   {"dtype", options.dtype}});
  }
}

std::unique_ptr<Sandbox> open_sandbox(const EvalOptions& options) {
  auto sandbox = std::make_unique<Sandbox>(sandbox_kind_from_name(options.sandbox));
  if (!sandbox->missing().empty()) {
    log_warning(fmt::format("programs run without: {}", fmt::join(sandbox->missing(), "; ")));
  }
  return sandbox;
}

Job plan_tasks(const EvalOptions& options) {
  Job job{
      .catalogue = read_task_folder(options.tasks_dir), .names = {}, .tasks = {}, .sandbox = {}};
  job.names = add_own_tasks(options.tasks, job.catalogue);
  job.tasks = resolve_tasks(job.catalogue, job.names);
  const auto found = std::ranges::find_if(job.tasks, [&](const std::string& name) {
    return runs_programs(job.catalogue.tasks.at(name));
  });
  if (found != job.tasks.end()) {
    if (!options.allows_code_execution) {
      throw_usage(fmt::format(
          "task {} runs the programs that the model writes; --allow-code-execution allows it "
          "(in a sandbox)",
          *found));
    }
    job.sandbox = open_sandbox(options);
  }
  return job;
}

/// Of base.json: base_samples.
std::filesystem::path samples_folder(const EvalOptions& options) {
  const std::filesystem::path out(options.out);
  return out.parent_path() / (out.stem().string() + "_samples");
}

EvaluationOptions evaluation_options(const EvalOptions& options,
                                     const LoadedModel& loaded,
                                     const Job& job,
                                     const Context& context) {
  return {
      .data_dir = options.data_dir,
      .samples_folder = samples_folder(options),
      .model_hash = loaded.hash,
      .dtype = options.dtype,
      .items = {.num_fewshot = options.num_fewshot, .limit = options.limit, .seed = options.seed},
      .scoring = {.batch_size = options.batch_size},
      .stop_tokens = loaded.stop_tokens,
      .sandbox = job.sandbox.get(),
      .num_samples = options.samples,
      .progress = context.progress_style(),
      .stop = context.stop};
}

void evaluate_tasks(const Job& job,
                    const LoadedModel& loaded,
                    const EvaluationOptions& options,
                    EvaluationFile& file) {
  for (const std::string& task : job.tasks) {
    file.add_task(
        task, evaluate_task(loaded.model, loaded.tokenizer, job.catalogue.tasks.at(task), options));
  }
  for (const std::string& name : job.names) {
    if (const auto group = job.catalogue.groups.find(name); group != job.catalogue.groups.end()) {
      file.add_group(group->second);
    }
  }
}

void require_complete(EvalOptions& options) {
  if (options.tasks.empty() && options.text.empty()) {
    throw_usage("--tasks or --text is required");
  }
  if (!options.tasks.empty() && options.out.empty()) {
    throw_usage("--tasks needs --out: what each item gave is written beside it");
  }
  if (!options.tasks.empty() && options.data_dir.empty()) {
    const char* const from_environment = std::getenv("SLAYER_DATA_DIR");
    if (from_environment == nullptr) {
      throw_usage("--tasks needs --data-dir, or SLAYER_DATA_DIR in the environment");
    }
    options.data_dir = from_environment;
  }
  if (!options.out.empty()) {
    require_new_path(options.out, options.force);
  }
}

void run_eval(EvalOptions& options, const Context& context) {
  require_complete(options);
  const Job job = options.tasks.empty() ? Job{} : plan_tasks(options);
  if (options.threads > 0) {
    at::set_num_threads(options.threads);
  }
  const LoadedModel loaded = load(options);
  const EvaluationOptions evaluation = evaluation_options(options, loaded, job, context);
  EvaluationFile file(loaded.hash);
  evaluate_texts(options, loaded, context, file);
  evaluate_tasks(job, loaded, evaluation, file);
  if (!options.out.empty()) {
    write_json_file(options.out, file.json());
  }
  for (const std::string& task : job.tasks) {
    SampleJournal::discard(samples_path(evaluation, task));
  }
  if (context.json) {
    fmt::print("{}", json_text(file.json()));
  } else {
    fmt::print("{}", format_results(file));
  }
}

}  // namespace

void add_eval(CLI::App& app, Context& context) {
  CLI::App* const command = app.add_subcommand("eval", "Benchmarks and perplexity");
  const auto options = std::make_shared<EvalOptions>();
  command->add_option("checkpoint", options->checkpoint, "Checkpoint folder or .gguf file")
      ->required()
      ->type_name("CKPT");
  command->add_option("--tasks", options->tasks, "Tasks, groups or .toml files, comma-separated")
      ->delimiter(',')
      ->type_name("NAME,...");
  command->add_option("--text", options->text, "Texts to measure the perplexity of")
      ->type_name("FILE");
  command->add_option("--data-dir", options->data_dir, "Data sets; SLAYER_DATA_DIR unless given")
      ->type_name("DIR");
  command->add_option("--tasks-dir", options->tasks_dir, "Folder of task files")
      ->type_name("DIR")
      ->default_str("slayer's own");
  command->add_option("--out", options->out, "Results; what each item gave lies in OUT_samples/")
      ->type_name("FILE");
  command->add_option("--limit", options->limit, "Only the first items of each task")
      ->check(CLI::PositiveNumber);
  command->add_option("--num-fewshot", options->num_fewshot, "Examples before each item")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--seq-len", options->seq_len, "Tokens of a perplexity window")
      ->capture_default_str();
  command->add_option("--text-field", options->text_field, "Key of the text in a .jsonl")
      ->capture_default_str();
  command->add_option("--seed", options->seed, "Of the draw of examples")->capture_default_str();
  command->add_option("--batch-size", options->batch_size, "Most items in one forward pass")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--device", options->device, "cpu, cuda or cuda:N")->capture_default_str();
  command->add_option("--dtype", options->dtype, "float32, bfloat16 or float16")
      ->capture_default_str();
  command->add_option("--threads", options->threads, "CPU threads; 0: all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_flag("--allow-code-execution",
                    options->allows_code_execution,
                    "Run the programs that the model writes for code tasks, in a sandbox");
  command->add_option("--sandbox", options->sandbox, "bubblewrap, or rlimits where it is forbidden")
      ->capture_default_str();
  command->add_option("--samples", options->samples, "Programs for each item of a code task")
      ->check(CLI::PositiveNumber);
  command->add_flag("--force", options->force, "Replace --out if it exists");
  add_output_options(*command, context);
  command->footer(
      "Example:\n"
      "  slayer eval base --tasks arc_easy,mmlu --data-dir data --limit 100 --out base.json");
  command->callback([options, &context] { run_eval(*options, context); });
}

}  // namespace slayer::cli
