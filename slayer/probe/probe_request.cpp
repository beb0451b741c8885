#include "slayer/probe/probe_request.h"

#include <algorithm>
#include <fmt/format.h>
#include <span>
#include <utility>

#include "slayer/core/sha256.h"
#include "slayer/data/documents.h"
#include "slayer/eval/perplexity.h"
#include "slayer/eval/task_folder.h"
#include "slayer/model/device.h"
#include "slayer/model/load.h"
#include "slayer/probe/journal.h"

namespace slayer {
namespace {

ProbeSet read_text(const ProbeRequest& request,
                   const std::string& name,
                   const std::vector<std::string>& patterns,
                   const Tokenizer& tokenizer,
                   const ModelConfig& config) {
  std::vector<std::string> files;
  for (const std::filesystem::path& file : find_document_files(patterns)) {
    files.push_back(file.string());
  }
  return text_set(name.empty() ? "text" : name,
                  files,
                  encode_documents(tokenizer, read_texts(patterns, request.text_field)),
                  request.text,
                  config.max_position_embeddings);
}

ProbeSection read_section(const ProbeRequest& request,
                          const std::string& name,
                          const ProbeSources& sources,
                          const Tokenizer& tokenizer,
                          const ModelConfig& config) {
  ProbeSection section{.name = name};
  if (!sources.text.empty()) {
    section.texts.push_back(read_text(request, name, sources.text, tokenizer, config));
  }
  if (!sources.tasks.empty()) {
    TaskCatalogue catalogue =
        read_task_folder(request.tasks_dir.empty() ? default_task_folder() : request.tasks_dir);
    const std::vector<std::string> names = add_own_tasks(sources.tasks, catalogue);
    for (const std::string& task : resolve_tasks(catalogue, names)) {
      section.tasks.push_back(task_set(catalogue.tasks.at(task),
                                       request.data_dir,
                                       request.items,
                                       tokenizer,
                                       config.max_position_embeddings));
    }
  }
  return section;
}

ProbeOptions options_of(const ProbeRequest& request) {
  ProbeOptions options{.methods = request.methods};
  options.sweep.packing.chunk_tokens = request.chunk_tokens;
  if (request.race) {
    options.sweep.race = {.best = *request.race, .worst = *request.race};
  }
  return options;
}

/// What noted measurements depend on: the model, how it computes, and what it is measured on.
std::string journal_key(const ProbeRequest& request,
                        const std::string& hash,
                        const std::vector<ProbeSection>& sections) {
  Sha256 key;
  key.update(fmt::format("{} {} {} {} {} {} {} {}",
                         hash,
                         request.dtype,
                         request.device,
                         request.methods.span,
                         request.methods.init == RepeatInit::kCopy ? "copy" : "average",
                         request.methods.copies,
                         request.race.value_or(0),
                         request.chunk_tokens));
  const auto add = [&key](const ProbeSet& set) {
    key.update(set.name);
    for (const SequenceGroup& group : set.groups) {
      for (const ScoredSequence& sequence : group) {
        key.update(fmt::format("{} {} ", sequence.tokens.size(), sequence.first_scored));
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

}  // namespace

std::vector<ProbeSection> read_sections(const ProbeRequest& request,
                                        const Tokenizer& tokenizer,
                                        const ModelConfig& config) {
  std::vector<ProbeSection> sections;
  for (const auto& [name, sources] : {std::pair("", &request.plain),
                                      std::pair("domain", &request.domain),
                                      std::pair("general", &request.general)}) {
    if (!sources->is_empty()) {
      sections.push_back(read_section(request, name, *sources, tokenizer, config));
    }
  }
  return sections;
}

std::filesystem::path journal_of(const std::filesystem::path& out) {
  return out.string() + ".journal";
}

Json probe_checkpoint(const Checkpoint& checkpoint,
                      const ProbeRequest& request,
                      const std::filesystem::path& out,
                      ProgressStyle progress,
                      const std::stop_token& stop) {
  // Before anything is read that takes long.
  check_methods(
      request.methods,
      checkpoint.config().num_hidden_layers,
      !request.plain.text.empty() || !request.domain.text.empty() || !request.general.text.empty());
  const Tokenizer tokenizer =
      Tokenizer::from_side_files(checkpoint.side_files(), checkpoint.path().string());
  const std::vector<ProbeSection> sections = read_sections(request, tokenizer, checkpoint.config());
  const CausalLM model = load_causal_lm(
      checkpoint, scalar_type_from_name(request.dtype), device_from_name(request.device));
  const std::string hash = checkpoint.hash();
  ProbeJournal journal = out.empty()
                             ? ProbeJournal()
                             : ProbeJournal(journal_of(out), journal_key(request, hash, sections));
  const Json probe = run_probe(model,
                               hash,
                               sections,
                               options_of(request),
                               {.journal = journal, .progress = progress, .stop = stop});
  if (!out.empty()) {
    write_json_file(out, probe);
    journal.remove();
  }
  return probe;
}

}  // namespace slayer
