#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "slayer/eval/dataset.h"
#include "slayer/eval/task.h"

namespace slayer {

/// One context and what is scored after it; for a generation the continuation is empty, for a
/// rolling loglikelihood the context.
struct TextRequest {
  std::string context = {};
  std::string continuation = {};
};

/// One row of a data set as the model sees it.
struct Item {
  int64_t doc_id = 0;
  std::vector<TextRequest> requests = {};  ///< One a choice; otherwise one.
  std::vector<std::string> choices = {};   ///< Without the delimiter, for length normalisation.
  std::optional<int64_t> gold = {};        ///< Index of the right choice.
  std::vector<bool> right = {};            ///< In place of gold: which choices are right.
  std::string target = {};                 ///< The answer to compare a generation with.
  std::string program_before = {};         ///< What makes a program of generated text.
  std::string program_after = {};
  std::string question = {};  ///< The row's text without examples, for people to read.
  std::string place = {};     ///< File, row and columns of the text, for errors.
  int64_t words = 0;  ///< Rolling: of the text before it was cleaned, by Python's \s+ split.
  int64_t bytes = 0;
  std::string problem = {};  ///< Not empty: why the row cannot be used; then nothing else is set.
};

struct ItemOptions {
  std::optional<int64_t> num_fewshot = {};  ///< Instead of the task's own.
  std::optional<int64_t> limit = {};        ///< Only the first rows.
  uint32_t seed = 1234;                     ///< lm-evaluation-harness's fewshot seed.
};

/// Examples per item: num_fewshot, else the task's own.
int64_t few_shot_count(const Task& task, const ItemOptions& options);

/// Reads the task's data below `data_dir` and makes its items, few-shot examples in front.
/// A row that cannot be used becomes an item with a problem.
/// @throws Error for files that are missing or wrong, when the task has no examples to draw or too
/// few, and when no row can be used.
std::vector<Item> read_items(const Task& task,
                             const std::filesystem::path& data_dir,
                             const ItemOptions& options);

/// SHA-256 of the task's file and of the files that its items are made from: what its results
/// depend on besides the model and the options.
std::string content_hash(const Task& task, const std::filesystem::path& data_dir);

}  // namespace slayer
