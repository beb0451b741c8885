#include "slayer/recipe/evaluate.h"

#include <algorithm>

#include "slayer/checkpoint/checkpoint.h"
#include "slayer/core/error.h"
#include "slayer/eval/evaluation.h"
#include "slayer/eval/evaluation_file.h"
#include "slayer/eval/perplexity.h"
#include "slayer/eval/sample_journal.h"
#include "slayer/eval/task_folder.h"
#include "slayer/model/device.h"
#include "slayer/model/generate.h"
#include "slayer/model/load.h"
#include "slayer/tokenizer/tokenizer.h"

namespace slayer {
namespace {

void throw_if_stopped(const EvalSettings& settings) {
  if (settings.stop.stop_requested()) {
    throw Interrupted("run the same command again to go on");
  }
}

Json samples(const CausalLM& model,
             const Tokenizer& tokenizer,
             const std::vector<int64_t>& stop_tokens,
             const EvalSettings& settings) {
  Json all = Json::array();
  for (const std::string& prompt : settings.recipe.prompts) {
    throw_if_stopped(settings);
    const std::vector<TokenId> tokens = tokenizer.encode(prompt, /*add_special_tokens=*/true);
    const auto generated = generate(model,
                                    {tokens},
                                    {.max_new_tokens = settings.recipe.max_new_tokens,
                                     .sampling = {},
                                     .stop_tokens = stop_tokens});
    all.push_back({{"prompt", prompt},
                   {"text", tokenizer.decode(generated.front(), /*skip_special_tokens=*/true)}});
  }
  return all;
}

void add_texts(const CausalLM& model,
               const Tokenizer& tokenizer,
               const std::string& name,
               const EvalSettings& settings,
               EvaluationFile& file) {
  PerplexityOptions options;
  options.seq_len = settings.recipe.seq_len;
  options.stop = settings.stop;
  const Json config = {{"seq_len", options.seq_len},
                       {"dtype", torch_name(dtype_of(settings.dtype))},
                       {"adds_bos", !tokenizer.prefix_ids().empty()}};
  for (const auto& [kind, patterns] : {std::pair("domain", &settings.recipe.domain),
                                       std::pair("general", &settings.recipe.general)}) {
    throw_if_stopped(settings);
    const auto documents =
        encode_documents(tokenizer, read_texts(*patterns, settings.recipe.text_field));
    Progress progress(name + " on " + kind,
                      count_scored_tokens(documents, options.seq_len),
                      "tokens",
                      settings.progress);
    file.add_text(kind, measure_perplexity(model, documents, options, progress), config);
    progress.finish();
  }
}

}  // namespace

TaskCatalogue task_catalogue(const EvalRecipe& recipe) {
  return recipe.domain_tasks.empty() && recipe.general_tasks.empty()
             ? TaskCatalogue()
             : read_task_folder(recipe.tasks_dir.empty() ? default_task_folder()
                                                         : recipe.tasks_dir);
}

std::vector<std::string> task_names(const EvalRecipe& recipe, const TaskCatalogue& catalogue) {
  std::vector<std::string> names = recipe.domain_tasks;
  names.insert(names.end(), recipe.general_tasks.begin(), recipe.general_tasks.end());
  return resolve_tasks(catalogue, names);
}

std::optional<SandboxKind> require_sandbox(const EvalRecipe& recipe,
                                           const TaskCatalogue& catalogue) {
  const std::vector<std::string> names = task_names(recipe, catalogue);
  const auto found = std::ranges::find_if(
      names, [&](const std::string& name) { return runs_programs(catalogue.tasks.at(name)); });
  if (found == names.end()) {
    return std::nullopt;
  }
  if (!recipe.sandbox) {
    throw Error({.file = "eval.sandbox",
                 .found = "nothing",
                 .expected = "bubblewrap or rlimits",
                 .hint = "task " + *found + " runs the programs that the model writes"});
  }
  return recipe.sandbox;
}

Json evaluate(const std::filesystem::path& path,
              const std::string& name,
              const std::filesystem::path& samples_folder,
              const EvalSettings& settings) {
  const Checkpoint checkpoint = Checkpoint::open(path);
  const Tokenizer tokenizer = Tokenizer::from_side_files(checkpoint.side_files(), path.string());
  const CausalLM model = load_causal_lm(checkpoint, settings.dtype, settings.device);
  EvaluationFile file(checkpoint.hash());
  add_texts(model, tokenizer, name, settings, file);
  const TaskCatalogue catalogue = task_catalogue(settings.recipe);
  EvaluationOptions options;
  options.data_dir = settings.recipe.data_dir;
  options.samples_folder = samples_folder;
  options.model_hash = checkpoint.hash();
  options.dtype = torch_name(dtype_of(settings.dtype));
  options.items.num_fewshot = settings.recipe.num_fewshot;
  options.items.limit = settings.recipe.limit;
  options.stop_tokens = stop_tokens(checkpoint);
  options.progress = settings.progress;
  options.stop = settings.stop;
  std::optional<Sandbox> sandbox;
  if (const auto kind = require_sandbox(settings.recipe, catalogue)) {
    options.sandbox = &sandbox.emplace(*kind);
  }
  std::filesystem::create_directories(samples_folder);
  for (const std::string& task : task_names(settings.recipe, catalogue)) {
    file.add_task(task, evaluate_task(model, tokenizer, catalogue.tasks.at(task), options));
  }
  for (const auto* const names : {&settings.recipe.domain_tasks, &settings.recipe.general_tasks}) {
    for (const std::string& group : *names) {
      if (const auto found = catalogue.groups.find(group); found != catalogue.groups.end()) {
        file.add_group(found->second);
      }
    }
  }
  Json json = file.json();
  json["samples"] = samples(model, tokenizer, options.stop_tokens, settings);
  return json;
}

void discard_journals(const EvalRecipe& recipe, const std::filesystem::path& samples_folder) {
  EvaluationOptions options;
  options.samples_folder = samples_folder;
  for (const std::string& task : task_names(recipe, task_catalogue(recipe))) {
    SampleJournal::discard(samples_path(options, task));
  }
}

}  // namespace slayer
