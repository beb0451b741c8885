#include <fmt/format.h>
#include <functional>

#include "slayer/checkpoint/gguf_export.h"
#include "slayer/core/error.h"
#include "slayer/data/corpus.h"
#include "slayer/data/documents.h"
#include "slayer/data/mixture.h"
#include "slayer/eval/dataset.h"
#include "slayer/eval/item.h"
#include "slayer/recipe/evaluate.h"
#include "slayer/recipe/job.h"
#include "slayer/recipe/trained.h"
#include "slayer/recipe/values.h"
#include "slayer/tokenizer/chat_template.h"
#include "slayer/tokenizer/tokenizer.h"

namespace slayer {
namespace {

/// The first item of each task: its data are there, and of the columns that it names.
void check_tasks(const EvalRecipe& recipe) {
  const TaskCatalogue catalogue = task_catalogue(recipe);
  require_sandbox(recipe, catalogue);
  ItemOptions options;
  options.num_fewshot = recipe.num_fewshot;
  options.limit = 1;
  for (const std::string& name : task_names(recipe, catalogue)) {
    read_items(catalogue.tasks.at(name), recipe.data_dir, options);
  }
}

void require_positions(const Recipe& recipe,
                       const std::string& key,
                       int64_t wanted,
                       int64_t positions) {
  if (wanted > positions) {
    throw Error({.file = recipe.file.string(),
                 .item = key,
                 .found = fmt::format("{}", wanted),
                 .expected = fmt::format("at most the model's {} positions", positions)});
  }
}

/// Whether some document of the files is looked for; those after it are not read.
bool has_document(const std::vector<std::string>& patterns,
                  const DocumentSource& source,
                  const std::function<bool(const Document&)>& is_looked_for) {
  struct Found {};
  try {
    for (const std::filesystem::path& file : find_document_files(patterns)) {
      read_documents(file, source, [&](const Document& document) {
        if (is_looked_for(document)) {
          throw Found();
        }
      });
    }
  } catch (const Found&) {
    return true;
  }
  return false;
}

/// A document in the form that the training reads.
void check_first_document(const TrainOptions& options) {
  const DocumentSource source{.format = options.format, .text_field = options.text_field};
  if (!has_document(patterns_of(options.data), source, [](const Document&) { return true; })) {
    throw Error({.file = "--data", .found = "no text", .expected = "at least one document"});
  }
}

/// Something to measure perplexity on.
void check_held_out(const Recipe& recipe,
                    const std::string& key,
                    const std::vector<std::string>& patterns,
                    const Tokenizer& tokenizer) {
  const auto is_scored = [&](const Document& document) {
    return tokenizer.encode(document.text, /*add_special_tokens=*/true).size() >= 2;
  };
  if (!has_document(patterns, {.text_field = recipe.eval.text_field}, is_scored)) {
    throw Error({.file = recipe.file.string(),
                 .item = key,
                 .found = "no document of two tokens",
                 .expected = "text to measure perplexity on"});
  }
}

void check_prompts(const Recipe& recipe, const Tokenizer& tokenizer, int64_t positions) {
  for (size_t i = 0; i < recipe.eval.prompts.size(); ++i) {
    const auto tokens =
        std::ssize(tokenizer.encode(recipe.eval.prompts[i], /*add_special_tokens=*/true));
    if (tokens >= positions) {
      throw Error({.file = recipe.file.string(),
                   .item = fmt::format("eval.prompts[{}]", i),
                   .found = fmt::format("{} tokens", tokens),
                   .expected = fmt::format("fewer than the model's {} positions", positions)});
    }
  }
}

}  // namespace

void Job::check_probe(const Tokenizer& tokenizer) const {
  const ModelConfig& config = base_.config();
  ProbeRequest request = *recipe_.probe;
  require_positions(recipe_, "probe.seq_len", request.text.seq_len, config.max_position_embeddings);
  const bool has_text =
      !request.plain.text.empty() || !request.domain.text.empty() || !request.general.text.empty();
  checked(recipe_.file.string(), "probe", [&] {
    check_methods(request.methods, config.num_hidden_layers, has_text);
  });
  // As check_tasks; the texts are there, and may be long to read.
  for (ProbeSources* const sources : {&request.plain, &request.domain, &request.general}) {
    sources->text.clear();
  }
  request.items.limit = 1;
  read_sections(request, tokenizer, config);
}

void Job::check_training(const TrainOptions& options,
                         const char* table,
                         const Tokenizer& tokenizer) const {
  require_positions(recipe_,
                    fmt::format("{}.seq_len", table),
                    options.seq_len.value_or(0),
                    base_.config().max_position_embeddings);
  if (options.format != DocumentFormat::kText) {
    ChatTemplate::from_side_files(base_.side_files(), recipe_.base.string());
  } else {
    make_document_encoder(tokenizer, /*tokenizer_key=*/"", options.bos, options.add_eos);
  }
  checked(recipe_.file.string(), table, [&] { check_first_document(options); });
}

void Job::check() const {
  base_.require_complete();
  const std::string name = recipe_.base.string();
  const Tokenizer tokenizer = Tokenizer::from_side_files(base_.side_files(), name);
  planned_trainings(recipe_, expected_plan());
  require_positions(
      recipe_, "eval.seq_len", recipe_.eval.seq_len, base_.config().max_position_embeddings);
  check_training(recipe_.train, "train", tokenizer);
  if (recipe_.sft) {
    check_training(*recipe_.sft, "sft", tokenizer);
  }
  if (!recipe_.exported.gguf.empty()) {
    require_gguf_can_hold(base_);
  }
  if (recipe_.probe) {
    check_probe(tokenizer);
  }
  check_held_out(recipe_, "eval.domain", recipe_.eval.domain, tokenizer);
  check_held_out(recipe_, "eval.general", recipe_.eval.general, tokenizer);
  check_prompts(recipe_, tokenizer, base_.config().max_position_embeddings);
  checked(recipe_.file.string(), "", [&] { check_tasks(recipe_.eval); });
}

}  // namespace slayer
