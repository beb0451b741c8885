#include <ATen/Parallel.h>

#include <cstdlib>
#include <fmt/format.h>
#include <memory>

#include "slayer/checkpoint/checkpoint.h"
#include "slayer/core/file.h"
#include "slayer/probe/bar_chart.h"
#include "slayer/probe/probe_request.h"

#include "cli/command.h"

namespace slayer::cli {
namespace {

struct ProbeCommandOptions {
  std::string checkpoint;
  ProbeRequest request;
  std::vector<std::string> methods{"remove"};
  std::string init = "copy";
  std::string out;
  int threads = 0;
  bool force = false;
};

void check_sources(const ProbeRequest& request) {
  const bool has_kinds = !request.domain.is_empty() || !request.general.is_empty();
  if (request.plain.is_empty() && !has_kinds) {
    throw_usage("--text or --tasks is required, or --domain and --general");
  }
  if (!request.plain.is_empty() && has_kinds) {
    throw_usage("--text and --tasks go without --domain... and --general...");
  }
}

void find_data_dir(ProbeRequest& request) {
  if (request.has_tasks() && request.data_dir.empty()) {
    const char* const from_environment = std::getenv("SLAYER_DATA_DIR");
    if (from_environment == nullptr) {
      throw_usage("tasks need --data-dir, or SLAYER_DATA_DIR in the environment");
    }
    request.data_dir = from_environment;
  }
}

void run_probe_command(ProbeCommandOptions& options, const Context& context) {
  ProbeRequest& request = options.request;
  check_sources(request);
  for (const std::string& method : options.methods) {
    add_method(method, request.methods);
  }
  request.methods.init = repeat_init_from_name(options.init);
  find_data_dir(request);
  if (!options.out.empty()) {
    require_new_path(options.out, options.force);
  }
  if (options.threads > 0) {
    at::set_num_threads(options.threads);
  }
  const Json probe = probe_checkpoint(Checkpoint::open(options.checkpoint),
                                      request,
                                      options.out,
                                      context.progress_style(),
                                      context.stop);
  fmt::print("{}", context.json ? json_text(probe) : format_probe(probe));
}

void add_inputs(CLI::App& command, ProbeRequest& request) {
  const auto add = [&command](const char* name, std::vector<std::string>& texts, const char* help) {
    command.add_option(name, texts, help)->type_name("FILE");
  };
  add("--text", request.plain.text, "Texts to measure on: files, folders or globs");
  add("--domain", request.domain.text, "Texts whose knowledge is wanted");
  add("--general", request.general.text, "Texts that must not be forgotten");
  const auto add_tasks = [&command](
                             const char* name, std::vector<std::string>& tasks, const char* help) {
    command.add_option(name, tasks, help)->delimiter(',')->type_name("NAME,...");
  };
  add_tasks("--tasks", request.plain.tasks, "Tasks or .toml files to measure on");
  add_tasks("--domain-tasks", request.domain.tasks, "Tasks of the domain");
  add_tasks("--general-tasks", request.general.tasks, "Tasks that must not be forgotten");
  command.add_option("--data-dir", request.data_dir, "Data sets; SLAYER_DATA_DIR unless given")
      ->type_name("DIR");
  command.add_option("--tasks-dir", request.tasks_dir, "Folder of task files")
      ->type_name("DIR")
      ->default_str("slayer's own");
  command.add_option("--limit", request.items.limit, "Only the first items of each task")
      ->check(CLI::PositiveNumber);
  command.add_option("--num-fewshot", request.items.num_fewshot, "Examples before each item")
      ->check(CLI::NonNegativeNumber);
  command.add_option("--text-field", request.text_field, "Key of the text in a .jsonl")
      ->capture_default_str();
  command.add_option("--seq-len", request.text.seq_len, "Tokens of a window of text")
      ->capture_default_str();
  command
      .add_option("--windows", request.text.windows, "Most windows, spread over the text; 0: all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
}

void add_methods(CLI::App& command, ProbeCommandOptions& options) {
  command
      .add_option(
          "--method", options.methods, "remove, expand, angular, gradient, lens, comma-separated")
      ->delimiter(',')
      ->type_name("NAME,...")
      ->default_str("remove");
  command
      .add_option(
          "--span", options.request.methods.span, "remove: so many consecutive layers at a time")
      ->capture_default_str();
  command.add_option("--last", options.request.methods.last, "Also remove the last 1 to N layers")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command.add_option("--init", options.init, "expand: what is repeated, copy or average")
      ->check(CLI::IsMember({"copy", "average"}))
      ->capture_default_str();
  command.add_option("--copies", options.request.methods.copies, "expand: how many repeats")
      ->capture_default_str();
  command
      .add_option("--prune",
                  options.request.methods.prune,
                  "Also search which 1 to N layers cost least together")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      .add_option(
          "--race",
          options.request.race,
          "Only find the best and the worst N of each method: stop each layer once that is settled")
      ->check(CLI::Range(1, 1'000'000));
}

}  // namespace

void add_probe(CLI::App& app, Context& context) {
  CLI::App* const command = app.add_subcommand("probe", "Measure which layers matter");
  const auto options = std::make_shared<ProbeCommandOptions>();
  command->add_option("checkpoint", options->checkpoint, "Checkpoint folder or .gguf file")
      ->required()
      ->type_name("CKPT");
  add_inputs(*command, options->request);
  add_methods(*command, *options);
  command->add_option("--chunk-tokens", options->request.chunk_tokens, "Tokens in one forward pass")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--seed", options->request.text.seed, "Of the order of windows")
      ->capture_default_str();
  command->add_option("--out", options->out, "probe.json; a run that was interrupted goes on")
      ->type_name("FILE");
  command->add_option("--device", options->request.device, "cpu, cuda or cuda:N")
      ->capture_default_str();
  command->add_option("--dtype", options->request.dtype, "float32, bfloat16 or float16")
      ->capture_default_str();
  command->add_option("--threads", options->threads, "CPU threads; 0: all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_flag("--force", options->force, "Replace --out if it exists");
  add_output_options(*command, context);
  command->footer(
      "Example:\n"
      "  slayer probe base --method remove,angular --domain law.jsonl --general wiki.jsonl "
      "--out probe.json\n"
      "Only what matters most and least, in about half the time:\n"
      "  slayer probe base --race 3 --text law.jsonl --windows 64 --out probe.json");
  command->callback([options, &context] { run_probe_command(*options, context); });
}

}  // namespace slayer::cli
