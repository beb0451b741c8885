#include "slayer/eval/scoring.h"

#include <algorithm>
#include <optional>
#include <span>

#include "slayer/eval/branched_rows.h"
#include "slayer/eval/wanted_logits.h"
#include "slayer/model/kv_cache.h"

namespace slayer {
namespace {

/// Scores of all sequences, group after group, filled batch by batch.
struct Scores {
  std::vector<SequenceScore> all;
  std::vector<size_t> first_of_group;

  explicit Scores(const std::vector<SequenceGroup>& groups) {
    for (const SequenceGroup& group : groups) {
      first_of_group.push_back(all.size());
      all.resize(all.size() + group.size(), {.is_greedy = true});
    }
    first_of_group.push_back(all.size());
  }

  std::vector<SequenceScore> of_group(size_t group) const {
    return {all.begin() + static_cast<int64_t>(first_of_group[group]),
            all.begin() + static_cast<int64_t>(first_of_group[group + 1])};
  }
};

WantedLogits collect(std::span<const BranchedRow> rows, int64_t columns, const Scores& scores) {
  WantedLogits wanted;
  for (size_t row = 0; row < rows.size(); ++row) {
    std::vector<ScoredPosition> scored = rows[row].scored;
    std::ranges::stable_sort(scored, {}, &ScoredPosition::column);
    for (const ScoredPosition& target : scored) {
      wanted.add(static_cast<int64_t>(row) * columns + target.column,
                 target.token,
                 scores.first_of_group[rows[row].group] + target.sequence);
    }
  }
  return wanted;
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

/// How many of `rows`, which are sorted from the longest on, run together: as many as full speed
/// takes, then those that need little padding.
size_t batch_length(std::span<const BranchedRow> rows, const ScoringOptions& options) {
  constexpr int64_t kFullSpeedTokens = 128;
  constexpr double kLeastFilled = 0.9;
  const int64_t longest = rows.front().size();
  const int64_t most =
      std::min({options.batch_tokens / longest, options.batch_size, std::ssize(rows)});
  const auto is_welcome = [&](int64_t row) {
    return row * longest < kFullSpeedTokens ||
           static_cast<double>(rows[static_cast<size_t>(row)].size()) >=
               kLeastFilled * static_cast<double>(longest);
  };
  int64_t length = 1;
  while (length < most && is_welcome(length)) {
    ++length;
  }
  return static_cast<size_t>(length);
}

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
  KvCache* const prefix_cache = cache ? &*cache : nullptr;
  const at::Tensor input_ids = batch.input_ids.to(device);
  const ForwardPass pass = begin_pass(model, input_ids, batch.layout, prefix_cache);
  const at::Tensor hidden =
      run_layers(model, embed(model, input_ids), 0, std::ssize(model.layers), pass, prefix_cache);
  score_wanted(
      model, hidden.flatten(0, 1), collect(rows, columns, scores), options.logit_rows, scores.all);
}

}  // namespace

void score_groups(const CausalLM& model,
                  const std::vector<SequenceGroup>& groups,
                  const ScoringOptions& options,
                  const OnGroupScored& on_scored) {
  const c10::InferenceMode inference;
  Scores scores(groups);
  std::vector<BranchedRow> rows = lay_out_groups(groups);
  std::vector<size_t> rows_left(groups.size());
  for (const BranchedRow& row : rows) {
    ++rows_left[row.group];
  }
  const SharedPrefix prefix(model, rows);
  std::ranges::stable_sort(rows, std::ranges::greater{}, &BranchedRow::size);

  for (std::span<const BranchedRow> rest(rows); !rest.empty();) {
    const auto batch = rest.first(batch_length(rest, options));
    rest = rest.subspan(batch.size());
    score_batch(model, prefix, batch, options, scores);
    for (const BranchedRow& row : batch) {
      if (--rows_left[row.group] == 0) {
        on_scored(row.group, scores.of_group(row.group));
      }
    }
  }
}

}  // namespace slayer
