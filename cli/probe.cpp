#include "slayer/probe/probe.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>
#include <memory>
#include <optional>

#include "slayer/checkpoint/checkpoint.h"
#include "slayer/core/error.h"
#include "slayer/core/file.h"
#include "slayer/core/sha256.h"
#include "slayer/data/documents.h"
#include "slayer/eval/perplexity.h"
#include "slayer/eval/task_folder.h"
#include "slayer/model/device.h"
#include "slayer/model/load.h"
#include "slayer/probe/bar_chart.h"
#include "slayer/tokenizer/tokenizer.h"

#include "cli/command.h"

namespace slayer::cli {
namespace {

/// Where one section's text and tasks come from.
struct SectionOptions {
  std::string name;
  std::vector<std::string> text = {};
  std::vector<std::string> tasks = {};
};

struct ProbeCommandOptions {
  std::string checkpoint;
  std::vector<std::string> methods{"remove"};
  SectionOptions plain{.name = ""};
  SectionOptions domain{.name = "domain"};
  SectionOptions general{.name = "general"};
  std::string text_field = "text";
  TextSetOptions text;
  std::string tasks_dir = default_task_folder().string();
  std::string data_dir;
  ItemOptions items;
  int64_t span = 1;
  int64_t last = 0;
  int64_t prune = 0;
  std::string init = "copy";
  int64_t copies = 1;
  std::optional<int64_t> race;
  int64_t chunk_tokens = 4096;
  std::string out;
  std::string device = "cpu";
  std::string dtype = "float32";
  int threads = 0;
  bool force = false;
};

ProbeSet read_text(const ProbeCommandOptions& options,
                   const SectionOptions& section,
                   const Tokenizer& tokenizer,
                   const ModelConfig& config) {
  std::vector<Document> documents;
  std::vector<std::string> files;
  for (const std::filesystem::path& file : find_document_files(section.text)) {
    files.push_back(file.string());
    read_documents(file, {.text_field = options.text_field}, [&](Document document) {
      documents.push_back(std::move(document));
    });
  }
  return text_set(section.name.empty() ? "text" : section.name,
                  files,
                  encode_documents(tokenizer, documents),
                  options.text,
                  config.max_position_embeddings);
}

ProbeSection read_section(const ProbeCommandOptions& options,
                          const SectionOptions& section,
                          const Tokenizer& tokenizer,
                          const ModelConfig& config) {
  ProbeSection read{.name = section.name};
  if (!section.text.empty()) {
    read.texts.push_back(read_text(options, section, tokenizer, config));
  }
  if (!section.tasks.empty()) {
    TaskCatalogue catalogue = read_task_folder(options.tasks_dir);
    const std::vector<std::string> names = add_own_tasks(section.tasks, catalogue);
    for (const std::string& task : resolve_tasks(catalogue, names)) {
      read.tasks.push_back(task_set(catalogue.tasks.at(task),
                                    options.data_dir,
                                    options.items,
                                    tokenizer,
                                    config.max_position_embeddings));
    }
  }
  return read;
}

ProbeOptions probe_options(const ProbeCommandOptions& options) {
  ProbeOptions probe;
  for (const std::string& method : options.methods) {
    add_method(method, probe.methods);
  }
  probe.methods.span = options.span;
  probe.methods.last = options.last;
  probe.methods.prune = options.prune;
  probe.methods.init = repeat_init_from_name(options.init);
  probe.methods.copies = options.copies;
  probe.sweep.packing.chunk_tokens = options.chunk_tokens;
  probe.sweep.race = options.race;
  if (options.race) {  // The earlier it is looked at, the more is saved.
    constexpr int64_t kWindowsBetweenLooks = 4;
    probe.sweep.packing.chunk_tokens =
        std::min(options.chunk_tokens, kWindowsBetweenLooks * options.text.seq_len);
  }
  return probe;
}

/// What noted measurements depend on: the model, how it computes, and what it is measured on.
std::string journal_key(const ProbeCommandOptions& options,
                        const std::string& hash,
                        const std::vector<ProbeSection>& sections) {
  Sha256 key;
  key.update(fmt::format("{} {} {} {} {} {} {} {}",
                         hash,
                         options.dtype,
                         options.device,
                         options.span,
                         options.init,
                         options.copies,
                         options.race.value_or(0),
                         options.chunk_tokens));
  const auto add = [&key](const ProbeSet& set) {
    key.update(set.name);
    for (const SequenceGroup& group : set.groups) {
      for (const ScoredSequence& sequence : group) {
        key.update(std::as_bytes(std::span(sequence.tokens)));
      }
    }
  };
  for (const ProbeSection& section : sections) {
    std::ranges::for_each(section.texts, add);
    std::ranges::for_each(section.tasks, add);
  }
  return key.hex_digest();
}

std::vector<SectionOptions> given_sections(const ProbeCommandOptions& options) {
  std::vector<SectionOptions> sections;
  for (const SectionOptions& section : {options.plain, options.domain, options.general}) {
    if (!section.text.empty() || !section.tasks.empty()) {
      sections.push_back(section);
    }
  }
  if (sections.empty()) {
    throw_usage("--text or --tasks is required, or --domain and --general");
  }
  if (sections.size() > 1 && sections.front().name.empty()) {
    throw_usage("--text and --tasks go without --domain... and --general...");
  }
  return sections;
}

void find_data_dir(ProbeCommandOptions& options) {
  const bool has_tasks = !options.plain.tasks.empty() || !options.domain.tasks.empty() ||
                         !options.general.tasks.empty();
  if (has_tasks && options.data_dir.empty()) {
    const char* const from_environment = std::getenv("SLAYER_DATA_DIR");
    if (from_environment == nullptr) {
      throw_usage("tasks need --data-dir, or SLAYER_DATA_DIR in the environment");
    }
    options.data_dir = from_environment;
  }
}

void run_probe_command(ProbeCommandOptions& options, const Context& context) {
  const std::vector<SectionOptions> given = given_sections(options);
  const ProbeOptions wanted = probe_options(options);
  find_data_dir(options);
  if (!options.out.empty()) {
    require_new_path(options.out, options.force);
  }
  if (options.threads > 0) {
    at::set_num_threads(options.threads);
  }
  const Checkpoint checkpoint = Checkpoint::open(options.checkpoint);
  const Tokenizer tokenizer =
      Tokenizer::from_side_files(checkpoint.side_files(), options.checkpoint);
  std::vector<ProbeSection> sections;
  for (const SectionOptions& section : given) {
    sections.push_back(read_section(options, section, tokenizer, checkpoint.config()));
  }
  const CausalLM model = load_causal_lm(
      checkpoint, scalar_type_from_name(options.dtype), device_from_name(options.device));
  const std::string hash = checkpoint.hash();
  ProbeJournal journal = options.out.empty() ? ProbeJournal()
                                             : ProbeJournal(options.out + ".journal",
                                                            journal_key(options, hash, sections));
  const Json probe =
      run_probe(model,
                hash,
                sections,
                wanted,
                {.journal = journal, .progress = context.progress_style(), .stop = context.stop});
  if (!options.out.empty()) {
    write_json_file(options.out, probe);
    journal.remove();
  }
  fmt::print("{}", context.json ? json_text(probe) : format_probe(probe));
}

void add_inputs(CLI::App& command, ProbeCommandOptions& options) {
  command.add_option("checkpoint", options.checkpoint, "Checkpoint folder or .gguf file")
      ->required()
      ->type_name("CKPT");
  const auto add = [&command](const char* name, std::vector<std::string>& texts, const char* help) {
    command.add_option(name, texts, help)->type_name("FILE");
  };
  add("--text", options.plain.text, "Texts to measure on");
  add("--domain", options.domain.text, "Texts whose knowledge is wanted");
  add("--general", options.general.text, "Texts that must not be forgotten");
  const auto add_tasks = [&command](
                             const char* name, std::vector<std::string>& tasks, const char* help) {
    command.add_option(name, tasks, help)->delimiter(',')->type_name("NAME,...");
  };
  add_tasks("--tasks", options.plain.tasks, "Tasks or .toml files to measure on");
  add_tasks("--domain-tasks", options.domain.tasks, "Tasks of the domain");
  add_tasks("--general-tasks", options.general.tasks, "Tasks that must not be forgotten");
  command.add_option("--data-dir", options.data_dir, "Data sets; SLAYER_DATA_DIR unless given")
      ->type_name("DIR");
  command.add_option("--tasks-dir", options.tasks_dir, "Folder of task files")
      ->type_name("DIR")
      ->default_str("slayer's own");
  command.add_option("--limit", options.items.limit, "Only the first items of each task")
      ->check(CLI::PositiveNumber);
  command.add_option("--num-fewshot", options.items.num_fewshot, "Examples before each item")
      ->check(CLI::NonNegativeNumber);
  command.add_option("--text-field", options.text_field, "Key of the text in a .jsonl")
      ->capture_default_str();
  command.add_option("--seq-len", options.text.seq_len, "Tokens of a window of text")
      ->capture_default_str();
  command
      .add_option("--windows", options.text.windows, "Most windows, spread over the text; 0: all")
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
  command.add_option("--span", options.span, "remove: so many consecutive layers at a time")
      ->capture_default_str();
  command.add_option("--last", options.last, "Also remove the last 1 to N layers")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command.add_option("--init", options.init, "expand: what is repeated, copy or average")
      ->check(CLI::IsMember({"copy", "average"}))
      ->capture_default_str();
  command.add_option("--copies", options.copies, "expand: how many repeats")->capture_default_str();
  command
      .add_option("--prune", options.prune, "Also search which 1 to N layers cost least together")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      .add_option("--race",
                  options.race,
                  "Stop early what is neither among the best nor the worst N of its method")
      ->check(CLI::PositiveNumber);
}

}  // namespace

void add_probe(CLI::App& app, Context& context) {
  CLI::App* const command = app.add_subcommand("probe", "Measure which layers matter");
  const auto options = std::make_shared<ProbeCommandOptions>();
  add_inputs(*command, *options);
  add_methods(*command, *options);
  command->add_option("--chunk-tokens", options->chunk_tokens, "Tokens in one forward pass")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--seed", options->text.seed, "Of the order of windows")
      ->capture_default_str();
  command->add_option("--out", options->out, "probe.json; a run that was interrupted goes on")
      ->type_name("FILE");
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
      "  slayer probe base --method remove,angular --domain law.jsonl --general wiki.jsonl "
      "--out probe.json");
  command->callback([options, &context] { run_probe_command(*options, context); });
}

}  // namespace slayer::cli
