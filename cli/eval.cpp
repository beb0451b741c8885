#include <ATen/Parallel.h>

#include <cstdlib>
#include <fmt/format.h>
#include <memory>
#include <optional>

#include "slayer/checkpoint/checkpoint.h"
#include "slayer/core/error.h"
#include "slayer/data/documents.h"
#include "slayer/eval/evaluation.h"
#include "slayer/eval/evaluation_file.h"
#include "slayer/eval/perplexity.h"
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
  bool force = false;
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

void evaluate_texts(const EvalOptions& options,
                    const LoadedModel& loaded,
                    const Context& context,
                    EvaluationFile& file) {
  for (const std::filesystem::path& path : find_document_files(options.text)) {
    std::vector<Document> documents;
    read_documents(path, options.text_field, [&](Document document) {
      documents.push_back(std::move(document));
    });
    const auto tokens = encode_documents(loaded.tokenizer, documents);
    const std::string name = path.filename().string();
    Progress progress(
        name, count_scored_tokens(tokens, options.seq_len), "tokens", context.progress_style());
    PerplexityOptions perplexity{.seq_len = options.seq_len, .scoring = {}, .bootstrap = {}};
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

void evaluate_tasks(const EvalOptions& options,
                    const LoadedModel& loaded,
                    const Context& context,
                    EvaluationFile& file) {
  TaskCatalogue catalogue = read_task_folder(options.tasks_dir);
  const std::vector<std::string> names = add_own_tasks(options.tasks, catalogue);
  EvaluationOptions evaluation{
      .data_dir = options.data_dir,
      .samples_folder = std::filesystem::path(options.out).parent_path(),
      .model_hash = loaded.hash,
      .dtype = options.dtype,
      .items = {.num_fewshot = options.num_fewshot, .limit = options.limit, .seed = options.seed},
      .scoring = {.batch_size = options.batch_size},
      .stop_tokens = loaded.stop_tokens,
      .progress = context.progress_style(),
      .stop = context.stop};
  for (const std::string& task : resolve_tasks(catalogue, names)) {
    file.add_task(
        task, evaluate_task(loaded.model, loaded.tokenizer, catalogue.tasks.at(task), evaluation));
  }
  for (const std::string& name : names) {
    if (const auto group = catalogue.groups.find(name); group != catalogue.groups.end()) {
      file.add_group(group->second);
    }
  }
}

void run_eval(EvalOptions& options, const Context& context) {
  if (options.tasks.empty() && options.text.empty()) {
    throw_usage("--tasks or --text is required");
  }
  if (!options.tasks.empty() && options.out.empty()) {
    throw_usage("--tasks needs --out: samples_<task>.jsonl lie beside it");
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
  if (options.threads > 0) {
    at::set_num_threads(options.threads);
  }
  const LoadedModel loaded = load(options);
  EvaluationFile file(loaded.hash);
  evaluate_texts(options, loaded, context, file);
  if (!options.tasks.empty()) {
    evaluate_tasks(options, loaded, context, file);
  }
  if (!options.out.empty()) {
    write_json_file(options.out, file.json());
  }
  if (context.json) {
    fmt::print("{}\n", file.json().dump(2));
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
  command->add_option("--out", options->out, "Results; samples_<task>.jsonl lie beside it")
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
  command->add_flag("--force", options->force, "Replace --out if it exists");
  add_output_options(*command, context);
  command->footer(
      "Example:\n"
      "  slayer eval base --tasks arc_easy,mmlu --data-dir data --limit 100 --out base.json");
  command->callback([options, &context] { run_eval(*options, context); });
}

}  // namespace slayer::cli
