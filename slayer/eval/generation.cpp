#include "slayer/eval/generation.h"

#include <algorithm>

#include "slayer/core/error.h"
#include "slayer/eval/metrics.h"
#include "slayer/model/generate.h"

namespace slayer {
namespace {

/// An item and the tokens that ask for its answer.
struct Prompt {
  const Item* item;
  std::vector<TokenId> tokens;
};

std::vector<Prompt> encode_prompts(const Task& task,
                                   const std::vector<Item>& items,
                                   const RequestEncoder& encoder,
                                   SampleJournal& journal) {
  std::vector<Prompt> prompts;
  for (const Item& item : items) {
    if (journal.has(item.doc_id)) {
      continue;
    }
    Item unusable = item;
    if (item.problem.empty()) {
      try {
        prompts.push_back(
            {.item = &item,
             .tokens = encoder.prompt(item.requests.front().context, task.max_new_tokens)});
        continue;
      } catch (const Error& error) {
        unusable.problem = error.what();
      }
    }
    journal.add(problem_sample(unusable));
  }
  std::ranges::stable_sort(
      prompts, std::ranges::greater{}, [](const Prompt& prompt) { return prompt.tokens.size(); });
  return prompts;
}

}  // namespace

StopWatcher::StopWatcher(const Tokenizer& tokenizer, std::vector<std::string> stops)
    : tokenizer_(tokenizer), stops_(std::move(stops)) {
  for (const std::string& stop : stops_) {
    const size_t tokens = tokenizer.encode(stop, /*add_special_tokens=*/false).size();
    lookback_ = std::max(lookback_, tokens + 2);
  }
}

bool StopWatcher::is_done(const std::vector<TokenId>& generated) const {
  const size_t tail = std::min(lookback_, generated.size());
  const std::string text =
      tokenizer_.decode({generated.end() - static_cast<std::ptrdiff_t>(tail), generated.end()},
                        /*skip_special_tokens=*/false);
  return std::ranges::any_of(
      stops_, [&](const std::string& stop) { return text.find(stop) != std::string::npos; });
}

std::string StopWatcher::text_before_stop(const std::vector<TokenId>& generated) const {
  std::string text = tokenizer_.decode(generated, /*skip_special_tokens=*/true);
  for (const std::string& stop : stops_) {
    text.resize(std::min(text.size(), text.find(stop)));
  }
  return text;
}

void generate_answers(const CausalLM& model,
                      const Tokenizer& tokenizer,
                      const Task& task,
                      const std::vector<Item>& items,
                      const EvaluationOptions& options,
                      const RequestEncoder& encoder,
                      SampleJournal& journal,
                      Progress& progress) {
  const StopWatcher watcher(tokenizer, task.stops);
  const std::vector<Prompt> prompts = encode_prompts(task, items, encoder, journal);
  const auto batch_size = static_cast<size_t>(options.scoring.batch_size);
  for (size_t begin = 0; begin < prompts.size(); begin += batch_size) {
    const size_t end = std::min(begin + batch_size, prompts.size());
    std::vector<std::vector<TokenId>> batch;
    for (size_t i = begin; i < end; ++i) {
      batch.push_back(prompts[i].tokens);
    }
    std::vector<std::vector<TokenId>> generated(batch.size());
    generate(model,
             batch,
             {.max_new_tokens = task.max_new_tokens, .stop_tokens = options.stop_tokens},
             [&](size_t prompt, TokenId token) {
               generated[prompt].push_back(token);
               return !watcher.is_done(generated[prompt]) && !options.stop.stop_requested();
             });
    if (options.stop.stop_requested()) {
      throw Interrupted("run the same command again to go on from the items done");
    }
    for (size_t i = begin; i < end; ++i) {
      const std::string text = watcher.text_before_stop(generated[i - begin]);
      journal.add(score_generation(task, *prompts[i].item, text));
      progress.advance(1);
    }
  }
}

}  // namespace slayer
