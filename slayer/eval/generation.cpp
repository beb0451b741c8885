#include "slayer/eval/generation.h"

#include <algorithm>
#include <iterator>
#include <span>

#include "slayer/core/error.h"
#include "slayer/eval/metrics.h"
#include "slayer/model/generate.h"

namespace slayer {
namespace {

/// An item and the tokens that ask for its answer.
struct Prompt {
  const Item* item;
  EncodedPrompt encoded;
};

/// One text to be generated: the item's `sample`-th.
struct Draw {
  const Prompt* prompt;
  int64_t sample;
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
             .encoded = encoder.prompt(item.requests.front().context, task.max_new_tokens)});
        continue;
      } catch (const Error& error) {
        unusable.problem = item.place + ": " + error.what();
      }
    }
    journal.add(problem_sample(unusable));
  }
  std::ranges::stable_sort(prompts, std::ranges::greater{}, [](const Prompt& prompt) {
    return prompt.encoded.tokens.size();
  });
  return prompts;
}

/// The texts that the model goes on with, one a draw.
std::vector<std::string> generate_texts(const CausalLM& model,
                                        const StopWatcher& watcher,
                                        const Task& task,
                                        std::span<const Draw> draws,
                                        int64_t samples,
                                        const EvaluationOptions& options) {
  GenerationOptions generation{.max_new_tokens = task.max_new_tokens,
                               .stop_tokens = options.stop_tokens};
  if (samples > 1) {
    generation.sampling = {.temperature = task.program->temperature,
                           .top_p = task.program->top_p,
                           .seed = options.items.seed};
  }
  std::vector<std::vector<TokenId>> prompts;
  for (const Draw& draw : draws) {
    prompts.push_back(draw.prompt->encoded.tokens);
    // By item and sample: what is drawn does not depend on the batch.
    generation.streams.push_back(
        static_cast<uint64_t>(draw.prompt->item->doc_id * samples + draw.sample));
  }
  std::vector<std::vector<TokenId>> generated(draws.size());
  generate(model, prompts, generation, [&](size_t prompt, TokenId token) {
    generated[prompt].push_back(token);
    return !watcher.is_done(generated[prompt]) && !options.stop.stop_requested();
  });
  if (options.stop.stop_requested()) {
    throw Interrupted("run the same command again to go on from the items done");
  }
  std::vector<std::string> texts;
  std::ranges::transform(generated, std::back_inserter(texts), [&](const auto& tokens) {
    return watcher.text_before_stop(tokens);
  });
  return texts;
}

Json judge(const Task& task,
           const Item& item,
           const std::vector<std::string>& texts,
           const EvaluationOptions& options) {
  if (!task.program) {
    return score_generation(task, item, texts.front());
  }
  std::vector<std::string> programs;
  for (const std::string& text : texts) {
    programs.push_back(item.program_before + text + item.program_after);
  }
  return score_programs(
      task, item, texts, options.sandbox->run_all(programs, task.program->seconds));
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
  const int64_t samples = sample_count(task, options);
  std::vector<Draw> draws;
  for (const Prompt& prompt : prompts) {
    for (int64_t sample = 0; sample < samples; ++sample) {
      draws.push_back({.prompt = &prompt, .sample = sample});
    }
  }
  std::vector<std::string> texts;  // Of the item whose samples are not all there yet.
  for (std::span<const Draw> rest(draws); !rest.empty();) {
    const auto batch =
        rest.first(std::min(rest.size(), static_cast<size_t>(options.scoring.batch_size)));
    rest = rest.subspan(batch.size());
    std::vector<std::string> fresh = generate_texts(model, watcher, task, batch, samples, options);
    for (size_t i = 0; i < batch.size(); ++i) {
      texts.push_back(std::move(fresh[i]));
      if (batch[i].sample + 1 < samples) {
        continue;
      }
      const Prompt& prompt = *batch[i].prompt;
      Json sample = judge(task, *prompt.item, texts, options);
      note_cut(sample,
               *prompt.item,
               prompt.encoded.cut_from,
               encoder.max_length() - task.max_new_tokens);
      journal.add(std::move(sample));
      progress.advance(1);
      texts.clear();
    }
  }
}

}  // namespace slayer
