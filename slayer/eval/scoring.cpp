#include "slayer/eval/scoring.h"

#include <algorithm>
#include <optional>
#include <span>

#include "slayer/eval/branched_rows.h"
#include "slayer/model/kv_cache.h"

namespace slayer {
namespace {

/// All wanted logits of a batch: each distinct position once, and what is read from it.
struct Wanted {
  struct Entry {
    int64_t position;  ///< Index into the distinct positions.
    int64_t token;
    SequenceScore* score;  ///< Where its log-probability goes.
  };
  std::vector<int64_t> positions;  ///< row * columns + column, distinct.
  std::vector<Entry> entries;      ///< Ascending by position.
};

/// Scores of all groups, filled batch by batch.
using Scores = std::vector<std::vector<SequenceScore>>;

Wanted collect(std::span<const BranchedRow> rows, int64_t columns, Scores& scores) {
  Wanted wanted;
  for (size_t row = 0; row < rows.size(); ++row) {
    std::vector<ScoredPosition> scored = rows[row].scored;
    std::ranges::stable_sort(scored, {}, &ScoredPosition::column);
    for (const ScoredPosition& target : scored) {
      const int64_t flat = static_cast<int64_t>(row) * columns + target.column;
      if (wanted.positions.empty() || wanted.positions.back() != flat) {
        wanted.positions.push_back(flat);
      }
      wanted.entries.push_back({.position = std::ssize(wanted.positions) - 1,
                                .token = target.token,
                                .score = &scores[rows[row].group][target.sequence]});
    }
  }
  return wanted;
}

/// Adds the log-probabilities of `entries`, whose positions are rows of `hidden` from `first` on.
void score_chunk(const CausalLM& model,
                 const at::Tensor& hidden,
                 std::span<const Wanted::Entry> entries,
                 int64_t first) {
  // In place: a chunk of logits is far larger than the caches.
  const at::Tensor shifted = logits(model, hidden).to(at::kFloat);
  shifted.sub_(shifted.amax(/*dim=*/-1, /*keepdim=*/true));
  std::vector<int64_t> row_of_entry;
  std::vector<int64_t> token_of_entry;
  for (const Wanted::Entry& entry : entries) {
    row_of_entry.push_back(entry.position - first);
    token_of_entry.push_back(entry.token);
  }
  const at::Tensor rows = at::tensor(row_of_entry, at::kLong).to(hidden.device());
  const at::Tensor tokens = at::tensor(token_of_entry, at::kLong).to(hidden.device());
  const at::Tensor of_tokens = shifted.index({rows, tokens}).to(at::kCPU).contiguous();
  const at::Tensor normalizer = shifted.exp_().sum(/*dim=*/-1).log_().to(at::kCPU).contiguous();
  const float* const of_tokens_data = of_tokens.const_data_ptr<float>();
  const float* const normalizer_data = normalizer.const_data_ptr<float>();
  for (size_t i = 0; i < entries.size(); ++i) {
    SequenceScore& score = *entries[i].score;
    score.loglikelihood += of_tokens_data[i] - normalizer_data[row_of_entry[i]];
    score.is_greedy = score.is_greedy && of_tokens_data[i] == 0.0F;
  }
}

/// The tokens that all rows begin with, computed once.
class SharedPrefix final {
 public:
  /// Cuts the common prefix from all rows where it is long enough to pay.
  SharedPrefix(const CausalLM& model, std::span<BranchedRow> rows) {
    constexpr int64_t kShortestWorthCaching = 16;
    const int64_t length = rows.size() < 2 ? 0 : common_prefix(rows);
    if (length < kShortestWorthCaching) {
      return;
    }
    const at::Device device = model.embed_tokens.device();
    const std::vector<int64_t>& ids = rows.front().input_ids;
    const at::Tensor prefix =
        at::tensor(std::vector<int64_t>(ids.begin(), ids.begin() + length), at::kLong);
    cache_.emplace(model.config, /*batch=*/1, length, model.embed_tokens.scalar_type(), device);
    forward_hidden(model, prefix.unsqueeze(0).to(device), {}, &*cache_);
    for (BranchedRow& row : rows) {
      remove_prefix(row, length);
    }
  }

  int64_t length() const { return cache_ ? cache_->length() : 0; }

  /// A cache for one batch; nothing where there is no prefix.
  std::optional<KvCache> expanded(size_t rows, int64_t columns) const {
    return cache_ ? std::optional(cache_->rows(std::vector<int64_t>(rows, 0), length() + columns))
                  : std::nullopt;
  }

 private:
  std::optional<KvCache> cache_;
};

void score_batch(const CausalLM& model,
                 const SharedPrefix& prefix,
                 std::span<const BranchedRow> rows,
                 const ScoringOptions& options,
                 Scores& scores) {
  const at::Device device = model.embed_tokens.device();
  BranchedBatch batch = pad_rows(rows, prefix.length());
  if (batch.layout.mask.defined()) {
    batch.layout = {.position_ids = batch.layout.position_ids.to(device),
                    .mask = batch.layout.mask.to(device)};
  }
  const int64_t columns = batch.input_ids.size(1);
  std::optional<KvCache> cache = prefix.expanded(rows.size(), columns);
  const at::Tensor hidden =
      forward_hidden(model, batch.input_ids.to(device), batch.layout, cache ? &*cache : nullptr)
          .flatten(0, 1);

  const Wanted wanted = collect(rows, columns, scores);
  const at::Tensor positions = at::tensor(wanted.positions, at::kLong).to(device);
  auto entry = wanted.entries.begin();
  for (int64_t first = 0; first < positions.size(0); first += options.logit_rows) {
    const int64_t last = std::min(first + options.logit_rows, positions.size(0));
    const auto end =
        std::ranges::lower_bound(entry, wanted.entries.end(), last, {}, &Wanted::Entry::position);
    score_chunk(model,
                hidden.index_select(/*dim=*/0, positions.slice(/*dim=*/0, first, last)),
                std::span(entry, end),
                first);
    entry = end;
  }
}

}  // namespace

void score_groups(const CausalLM& model,
                  const std::vector<SequenceGroup>& groups,
                  const ScoringOptions& options,
                  const OnGroupScored& on_scored) {
  const c10::InferenceMode inference;
  Scores scores;
  for (const SequenceGroup& group : groups) {
    scores.emplace_back(group.size(), SequenceScore{.is_greedy = true});
  }
  std::vector<BranchedRow> rows = lay_out_groups(groups);
  std::vector<size_t> rows_left(groups.size());
  for (const BranchedRow& row : rows) {
    ++rows_left[row.group];
  }
  const SharedPrefix prefix(model, rows);
  std::ranges::stable_sort(rows, std::ranges::greater{}, &BranchedRow::size);

  for (std::span<const BranchedRow> rest(rows); !rest.empty();) {
    const int64_t longest = rest.front().size();
    const int64_t most = std::clamp(options.batch_tokens / longest, int64_t{1}, options.batch_size);
    const auto batch = rest.first(std::min(rest.size(), static_cast<size_t>(most)));
    rest = rest.subspan(batch.size());
    score_batch(model, prefix, batch, options, scores);
    for (const BranchedRow& row : batch) {
      if (--rows_left[row.group] == 0) {
        on_scored(row.group, scores[row.group]);
      }
    }
  }
}

}  // namespace slayer
