#include "slayer/model/generate.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <fmt/format.h>
#include <span>

#include "slayer/core/error.h"
#include "slayer/core/json.h"
#include "slayer/model/prompt_lookup.h"

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
  std::vector<int32_t> tokens;  ///< The prompt's and those generated.
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
      sequences_.push_back({prompt, length, Sampler(options.sampling, stream), prompts[prompt]});
    }
  }

  std::vector<Sequence>& sequences() { return sequences_; }
  int64_t longest() const { return longest_; }

  /// Runs what the cache does not hold of the prompts yet, a few at a time: enough tokens for full
  /// speed, without padding all of them to the longest.
  /// @return the logits after each prompt's last token, [rows, 1, vocab] float32 on the CPU.
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
    return scores(at::cat(hidden).unsqueeze(1));
  }

  /// Runs each sequence's last token and, behind it, as many guesses at what follows as all have.
  /// @param limit largest number of guesses, from 0.
  /// @return the logits after each of these tokens, [rows, 1 + guesses, vocab] float32 on the CPU.
  at::Tensor run_tokens(int64_t limit) {
    const auto rows = static_cast<int64_t>(sequences_.size());
    guess(std::min({limit, kTokensForFree / rows - 1, most_guesses_}));
    const int64_t columns = 1 + guesses();
    const at::Tensor ids = at::empty({rows, columns}, at::kLong);
    for (int64_t row = 0; row < rows; ++row) {
      auto* const out = ids[row].mutable_data_ptr<int64_t>();
      const auto index = static_cast<size_t>(row);
      *out = sequences_[index].tokens.back();
      std::copy_n(drafts_[index].begin(), guesses(), out + 1);
    }
    return scores(forward_hidden(model_, ids.to(model_.device()), next_layout(columns), &cache_));
  }

  int64_t guesses() const { return drafts_.empty() ? 0 : std::ssize(drafts_.front()); }

  /// Whether the last token of every sequence is the guess that ran at this place.
  bool guessed_right(int64_t place) const {
    return std::ranges::equal(sequences_, drafts_, [&](const auto& sequence, const auto& draft) {
      return sequence.tokens.back() == draft[static_cast<size_t>(place)];
    });
  }

  /// Takes the first `right` guesses as tokens and forgets that the others ran. Where all were
  /// right, twice as many are made the next time, else one more than were right.
  void accept(int64_t right) {
    cache_.truncate(cache_.length() - (guesses() - right));
    if (guesses() > 0) {
      most_guesses_ = right == guesses() ? std::min(2 * most_guesses_, kMostGuesses) : right + 1;
    }
  }

  /// Row i goes on as what row `rows[i]` is now.
  void keep(const std::vector<int64_t>& rows) {
    if (rows.size() == sequences_.size()) {
      return;
    }
    std::vector<Sequence> kept;
    kept.reserve(rows.size());
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
    ends.reserve(static_cast<size_t>(rows));
    for (int64_t row = 0; row < rows; ++row) {
      const auto& prompt = prompts[first + static_cast<size_t>(row)];
      std::copy(prompt.begin() + past, prompt.end(), ids[row].mutable_data_ptr<int64_t>());
      ends.push_back(row * ids.size(1) + std::ssize(prompt) - past - 1);
    }
    const at::Tensor hidden = forward_hidden(model_, ids.to(model_.device()), {}, &cache);
    cache.pad(longest_);
    return hidden.flatten(0, 1).index_select(0, at::tensor(ends, at::kLong).to(model_.device()));
  }

  void guess(int64_t limit) {
    drafts_.clear();
    for (const Sequence& sequence : sequences_) {
      drafts_.push_back(
          look_up_draft(sequence.tokens, static_cast<size_t>(std::max<int64_t>(limit, 0))));
    }
    const size_t common = std::ranges::min(drafts_, {}, &std::vector<int32_t>::size).size();
    for (std::vector<int32_t>& draft : drafts_) {
      draft.resize(common);
    }
  }

  at::Tensor scores(const at::Tensor& hidden) const {
    return logits(model_, hidden).to(at::kFloat).cpu().contiguous();
  }

  /// Positions go on from each prompt's own length; the padding behind it stays unseen.
  BatchLayout next_layout(int64_t columns) const {
    const int64_t past = cache_.length();
    std::vector<int64_t> lengths;
    lengths.reserve(sequences_.size());
    for (const Sequence& sequence : sequences_) {
      lengths.push_back(sequence.prompt_length);
    }
    if (std::ranges::min(lengths) == longest_) {
      return {};
    }
    const at::Tensor length = at::tensor(lengths, at::kLong).unsqueeze(1);
    const at::Tensor slot = at::arange(past + columns);
    const at::Tensor is_kept = (slot < length).logical_or(slot >= longest_);
    const at::Tensor is_before = slot <= at::arange(past, past + columns).unsqueeze(1);
    const at::Tensor is_seen = is_kept.unsqueeze(1).logical_and(is_before);
    return {.position_ids = (length + at::arange(columns) + (past - longest_)).to(model_.device()),
            .mask = is_seen.unsqueeze(1).to(model_.device())};
  }

  /// Tokens of a pass that cost little more than one: reading the weights is what takes time.
  static constexpr int64_t kTokensForFree = 16;
  static constexpr int64_t kMostGuesses = 7;

  const CausalLM& model_;
  int64_t longest_;  ///< Tokens of the longest prompt.
  KvCache cache_;
  std::vector<Sequence> sequences_;
  std::vector<std::vector<int32_t>> drafts_;  ///< Of each sequence, all of one length.
  int64_t most_guesses_ = 1;
};

/// The rows as a batch of their own: each stays where it is, and the last ones fill the holes that
/// the rows which are done leave.
std::vector<int64_t> fill_holes(const std::vector<int64_t>& ascending) {
  const int64_t count = std::ssize(ascending);
  std::vector<int64_t> filled(ascending.size(), -1);
  auto filler = ascending.rbegin();
  for (const int64_t row : ascending) {
    if (row < count) {
      filled[static_cast<size_t>(row)] = row;
    }
  }
  for (int64_t& row : filled) {
    if (row < 0) {
      row = *filler++;
    }
  }
  return filled;
}

/// Draws the next token of each sequence from scores [rows, vocab].
/// @return the rows of those that go on.
std::vector<int64_t> draw_tokens(std::vector<Sequence>& sequences,
                                 const at::Tensor& scores,
                                 const GenerationOptions& options,
                                 int64_t context,
                                 const OnToken& on_token,
                                 std::vector<std::vector<int32_t>>& generated) {
  std::vector<int64_t> going_on;
  for (int64_t row = 0; row < scores.size(0); ++row) {
    Sequence& sequence = sequences[static_cast<size_t>(row)];
    const std::span<const float> row_scores(scores[row].const_data_ptr<float>(),
                                            static_cast<size_t>(scores.size(1)));
    const int32_t token = sequence.sampler.sample(row_scores);
    if (std::ranges::count(options.stop_tokens, token) > 0) {
      continue;
    }
    sequence.tokens.push_back(token);
    generated[sequence.prompt].push_back(token);
    const bool goes_on = !on_token || on_token(sequence.prompt, token);
    const int64_t count = std::ssize(sequence.tokens);
    if (goes_on && count < sequence.prompt_length + options.max_new_tokens && count < context) {
      going_on.push_back(row);
    }
  }
  return going_on;
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
  // Of the tokens that a sequence may get at most.
  for (int64_t left = std::min(options.max_new_tokens, context - batch.longest());;
       scores = batch.run_tokens(/*limit=*/left - 1)) {
    std::vector<int64_t> going_on;
    int64_t place = 0;
    for (bool is_right = true; is_right; ++place, --left) {
      going_on = draw_tokens(
          batch.sequences(), scores.select(1, place), options, context, on_token, generated);
      is_right = std::ssize(going_on) == scores.size(0) && place < batch.guesses() &&
                 batch.guessed_right(place);
    }
    if (going_on.empty()) {
      return generated;
    }
    batch.accept(place - 1);
    batch.keep(fill_holes(going_on));
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
