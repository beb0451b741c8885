#pragma once

#include <string>
#include <vector>

#include "slayer/core/progress.h"
#include "slayer/eval/evaluation.h"
#include "slayer/eval/item.h"
#include "slayer/eval/request_encoding.h"
#include "slayer/eval/sample_journal.h"
#include "slayer/eval/task.h"
#include "slayer/model/causal_lm.h"
#include "slayer/tokenizer/tokenizer.h"

namespace slayer {

/// Watches a growing text for the strings that end it.
class StopWatcher final {
 public:
  StopWatcher(const Tokenizer& tokenizer, std::vector<std::string> stops);

  /// Whether one of the stops is in the text of the last tokens.
  bool is_done(const std::vector<TokenId>& generated) const;

  /// The text before the first stop, special tokens left out.
  std::string text_before_stop(const std::vector<TokenId>& generated) const;

 private:
  const Tokenizer& tokenizer_;
  std::vector<std::string> stops_;
  size_t lookback_ = 0;  ///< Tokens that a stop can span, and two more.
};

/// Generates for every item that the journal does not hold yet, in batches of like length, runs
/// what the task says is a program, and adds its sample.
void generate_answers(const CausalLM& model,
                      const Tokenizer& tokenizer,
                      const Task& task,
                      const std::vector<Item>& items,
                      const EvaluationOptions& options,
                      const RequestEncoder& encoder,
                      SampleJournal& journal,
                      Progress& progress);

}  // namespace slayer
