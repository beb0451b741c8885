#include "slayer/model/generate.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <fmt/format.h>
#include <span>

#include "slayer/core/error.h"
#include "slayer/core/json.h"

namespace slayer {
namespace {

using Prompts = std::vector<std::vector<int32_t>>;

void validate(const Prompts& prompts, const GenerationOptions& options, int64_t context) {
  slayer::validate(options.sampling);
  if (options.max_new_tokens < 1) {
    throw Error({.file = "--max-new-tokens",
                 .found = fmt::format("{}", options.max_new_tokens),
                 .expected = "an integer from 1 up"});
  }
  for (size_t prompt = 0; prompt < prompts.size(); ++prompt) {
    const auto length = static_cast<int64_t>(prompts[prompt].size());
    if (length == 0 || length >= context) {
      throw Error({.file = "prompt",
                   .item = prompts.size() == 1 ? "" : fmt::format("number {}", prompt + 1),
                   .found = fmt::format("{} tokens", length),
                   .expected = fmt::format(
                       "1 to {} tokens, as the model's context is {}", context - 1, context)});
    }
  }
}

/// One sequence on its way.
struct Sequence {
  size_t prompt;
  int64_t prompt_length;
  Sampler sampler;
};

/// How many tokens all prompts begin with, each one's last left out: its logits are wanted.
int64_t common_length(const Prompts& prompts) {
  const auto& first = prompts.front();
  auto length = std::ssize(first) - 1;
  for (const auto& prompt : prompts) {
    const auto limit = std::min(length, std::ssize(prompt) - 1);
    length =
        std::mismatch(first.begin(), first.begin() + limit, prompt.begin()).first - first.begin();
  }
  return length;
}

/// The batch of sequences that are not done yet: row r of every tensor is sequences[r].
class Batch final {
 public:
  Batch(const CausalLM& model, const Prompts& prompts, const GenerationOptions& options)
      : model_(model),
        longest_(
            static_cast<int64_t>(std::ranges::max(prompts, {}, &Prompts::value_type::size).size())),
        cache_(cache_with_prefix(model, prompts, longest_ + options.max_new_tokens)) {
    for (size_t prompt = 0; prompt < prompts.size(); ++prompt) {
      const auto length = static_cast<int64_t>(prompts[prompt].size());
      const uint64_t stream = options.streams.empty() ? prompt : options.streams.at(prompt);
      sequences_.push_back({prompt, length, Sampler(options.sampling, stream)});
    }
  }

  std::vector<Sequence>& sequences() { return sequences_; }

  /// Runs what the cache does not hold of the prompts yet, a few at a time: enough tokens for full
  /// speed, without padding all of them to the longest.
  /// @return the logits after each prompt's last token, [rows, vocab] float32 on the CPU.
  at::Tensor run_prompts(const Prompts& prompts) {
    constexpr size_t kTokensAtOnce = 512;
    std::vector<at::Tensor> hidden;
    for (size_t first = 0; first < prompts.size();) {
      size_t last = first;
      size_t longest = 0;
      do {
        longest = std::max(longest, prompts[last++].size());
      } while (last < prompts.size() &&
               std::max(longest, prompts[last].size()) * (last + 1 - first) <= kTokensAtOnce);
      hidden.push_back(run_rows(prompts, first, last, static_cast<int64_t>(longest)));
      first = last;
    }
    cache_.advance(longest_);
    return scores(at::cat(hidden));
  }

  /// Runs one more token of each row. @return as run_prompts.
  at::Tensor run_tokens(const std::vector<int64_t>& tokens) {
    const at::Tensor ids = at::tensor(tokens, at::kLong).unsqueeze(1).to(model_.device());
    return scores(forward_hidden(model_, ids, next_layout(), &cache_).squeeze(1));
  }

  /// Row i goes on as what row `rows[i]` is now.
  void keep(const std::vector<int64_t>& rows) {
    if (rows.size() == sequences_.size()) {
      return;
    }
    std::vector<Sequence> kept;
    for (const int64_t row : rows) {
      kept.push_back(std::move(sequences_[static_cast<size_t>(row)]));
    }
    sequences_ = std::move(kept);
    cache_.keep(rows);
  }

 private:
  /// A row for each prompt, what they have in common computed once.
  static KvCache cache_with_prefix(const CausalLM& model,
                                   const Prompts& prompts,
                                   int64_t capacity) {
    constexpr int64_t kShortestWorthSharing = 16;
    const auto rows = static_cast<int64_t>(prompts.size());
    const int64_t common = rows > 1 ? common_length(prompts) : 0;
    if (common < kShortestWorthSharing) {
      return {model.config, rows, capacity, model.dtype(), model.device()};
    }
    KvCache shared(model.config, /*batch=*/1, common, model.dtype(), model.device());
    const auto& first = prompts.front();
    const std::vector<int64_t> prefix(first.begin(), first.begin() + common);
    forward_hidden(
        model, at::tensor(prefix, at::kLong).unsqueeze(0).to(model.device()), {}, &shared);
    return shared.rows(std::vector<int64_t>(prompts.size(), 0), capacity);
  }

  /// Runs rows [first, last), padded on the right to their longest, which no token before sees, and
  /// from there to the longest of all. @return the state of each prompt's last token.
  at::Tensor run_rows(const Prompts& prompts, size_t first, size_t last, int64_t longest) {
    const auto rows = static_cast<int64_t>(last - first);
    KvCache cache = cache_.view(static_cast<int64_t>(first), rows);
    const int64_t past = cache.length();
    const at::Tensor ids = at::zeros({rows, longest - past}, at::kLong);
    std::vector<int64_t> ends;
    for (int64_t row = 0; row < rows; ++row) {
      const auto& prompt = prompts[first + static_cast<size_t>(row)];
      std::copy(prompt.begin() + past, prompt.end(), ids[row].mutable_data_ptr<int64_t>());
      ends.push_back(row * ids.size(1) + std::ssize(prompt) - past - 1);
    }
    const at::Tensor hidden = forward_hidden(model_, ids.to(model_.device()), {}, &cache);
    cache.pad(longest_);
    return hidden.flatten(0, 1).index_select(0, at::tensor(ends, at::kLong).to(model_.device()));
  }

  at::Tensor scores(const at::Tensor& hidden) const {
    return logits(model_, hidden).to(at::kFloat).cpu().contiguous();
  }

  /// Positions go on from each prompt's own length; the padding behind it stays unseen.
  BatchLayout next_layout() const {
    const int64_t past = cache_.length();
    std::vector<int64_t> lengths;
    for (const Sequence& sequence : sequences_) {
      lengths.push_back(sequence.prompt_length);
    }
    if (std::ranges::min(lengths) == longest_) {
      return {};
    }
    const at::Tensor length = at::tensor(lengths, at::kLong).unsqueeze(1);
    const at::Tensor slot = at::arange(past + 1).unsqueeze(0);
    const at::Tensor is_seen = (slot < length).logical_or(slot >= longest_);
    return {.position_ids = (length + (past - longest_)).to(model_.device()),
            .mask = is_seen.unsqueeze(1).unsqueeze(1).to(model_.device())};
  }

  const CausalLM& model_;
  int64_t longest_;  ///< Tokens of the longest prompt.
  KvCache cache_;
  std::vector<Sequence> sequences_;
};

/// A row that goes on, and its next token.
struct Next {
  int64_t row;
  int64_t token;
};

/// The rows as a batch of their own: each stays where it is, and the last ones fill the holes that
/// the rows which are done leave.
std::vector<Next> fill_holes(const std::vector<Next>& ascending) {
  const int64_t count = std::ssize(ascending);
  std::vector<Next> filled(ascending.size(), Next{.row = -1, .token = 0});
  auto filler = ascending.rbegin();
  for (const Next& next : ascending) {
    if (next.row < count) {
      filled[static_cast<size_t>(next.row)] = next;
    }
  }
  for (Next& next : filled) {
    if (next.row < 0) {
      next = *filler++;
    }
  }
  return filled;
}

}  // namespace

std::vector<std::vector<int32_t>> generate(const CausalLM& model,
                                           const Prompts& prompts,
                                           const GenerationOptions& options,
                                           const OnToken& on_token) {
  const int64_t context = model.config.max_position_embeddings;
  validate(prompts, options, context);
  std::vector<std::vector<int32_t>> generated(prompts.size());
  if (prompts.empty()) {
    return generated;
  }
  const c10::InferenceMode inference;
  Batch batch(model, prompts, options);
  at::Tensor scores = batch.run_prompts(prompts);
  while (true) {
    std::vector<Next> going_on;
    for (int64_t row = 0; row < scores.size(0); ++row) {
      Sequence& sequence = batch.sequences()[static_cast<size_t>(row)];
      const std::span<const float> row_scores(scores.const_data_ptr<float>() + row * scores.size(1),
                                              static_cast<size_t>(scores.size(1)));
      const int32_t token = sequence.sampler.sample(row_scores);
      if (std::ranges::count(options.stop_tokens, token) > 0) {
        continue;
      }
      auto& out = generated[sequence.prompt];
      out.push_back(token);
      const bool goes_on = !on_token || on_token(sequence.prompt, token);
      const auto count = static_cast<int64_t>(out.size());
      if (goes_on && count < options.max_new_tokens && sequence.prompt_length + count < context) {
        going_on.push_back({.row = row, .token = token});
      }
    }
    if (going_on.empty()) {
      return generated;
    }
    std::vector<int64_t> rows;
    std::vector<int64_t> tokens;
    for (const Next& next : fill_holes(going_on)) {
      rows.push_back(next.row);
      tokens.push_back(next.token);
    }
    batch.keep(rows);
    scores = batch.run_tokens(tokens);
  }
}

std::vector<int64_t> stop_tokens(const Checkpoint& checkpoint) {
  constexpr std::string_view kFile = "generation_config.json";
  const auto files = checkpoint.side_files();
  const auto found = files.find(std::string(kFile));
  if (found != files.end()) {
    const std::string file = (checkpoint.path() / kFile).string();
    const Json json = parse_json(found->second, file);
    const JsonObject object(json, file);
    if (object.has("eos_token_id")) {
      const Json& value = json["eos_token_id"];
      const Json list = value.is_array() ? value : Json::array({value});
      std::vector<int64_t> tokens;
      for (const Json& token : list) {
        if (!token.is_number_integer()) {
          object.fail(
              "eos_token_id", printable(compact_text(token)), "a token id or a list of them");
        }
        tokens.push_back(token.get<int64_t>());
      }
      return tokens;
    }
  }
  return checkpoint.config().eos_token_ids;
}

}  // namespace slayer
