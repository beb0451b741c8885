#include <fmt/format.h>

#include "slayer/core/error.h"
#include "slayer/core/file.h"
#include "slayer/core/log.h"
#include "slayer/eval/dataset.h"
#include "slayer/eval/item.h"
#include "slayer/recipe/evaluate.h"
#include "slayer/recipe/job.h"
#include "slayer/tokenizer/tokenizer.h"

namespace slayer {
namespace {

/// The first item of each task: its data are there, and of the columns that it names.
void check_tasks(const EvalRecipe& recipe) {
  const TaskCatalogue catalogue = task_catalogue(recipe);
  ItemOptions options;
  options.num_fewshot = recipe.num_fewshot;
  options.limit = 1;
  for (const std::string& name : task_names(recipe, catalogue)) {
    read_items(catalogue.tasks.at(name), recipe.data_dir, options);
  }
}

void require_positions(const Recipe& recipe, const char* key, int64_t wanted, int64_t positions) {
  if (wanted > positions) {
    throw Error({.file = recipe.file.string(),
                 .item = key,
                 .found = fmt::format("{}", wanted),
                 .expected = fmt::format("at most the model's {} positions", positions)});
  }
}

}  // namespace

void Job::check() const {
  base_.require_complete();
  make_plan(recipe_.plan, base_.config().num_hidden_layers);
  Tokenizer::from_side_files(base_.side_files(), recipe_.base.string());
  const int64_t positions = base_.config().max_position_embeddings;
  require_positions(recipe_, "eval.seq_len", recipe_.eval.seq_len, positions);
  require_positions(recipe_, "train.seq_len", recipe_.train.seq_len.value_or(0), positions);
  check_tasks(recipe_.eval);
}

}  // namespace slayer
