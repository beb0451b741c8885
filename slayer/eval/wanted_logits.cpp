#include "slayer/eval/wanted_logits.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace slayer {
namespace {

/// Adds the log-probabilities of `entries`, whose positions are rows of `hidden` from `first` on.
void score_chunk(const CausalLM& model,
                 const at::Tensor& hidden,
                 std::span<const WantedLogits::Entry> entries,
                 int64_t first,
                 std::span<SequenceScore> scores) {
  // In place: a chunk of logits is far larger than the caches.
  const at::Tensor shifted = logits(model, hidden).to(at::kFloat);
  shifted.sub_(shifted.amax(/*dim=*/-1, /*keepdim=*/true));
  std::vector<int64_t> row_of_entry;
  std::vector<int64_t> token_of_entry;
  for (const WantedLogits::Entry& entry : entries) {
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
    SequenceScore& score = scores[entries[i].slot];
    score.loglikelihood += of_tokens_data[i] - normalizer_data[row_of_entry[i]];
    score.is_greedy = score.is_greedy && of_tokens_data[i] == 0.0F;
  }
}

}  // namespace

void WantedLogits::add(int64_t position, int64_t token, size_t slot) {
  if (positions.empty() || positions.back() != position) {
    positions.push_back(position);
  }
  entries.push_back({.position = std::ssize(positions) - 1, .token = token, .slot = slot});
}

void score_wanted(const CausalLM& model,
                  const at::Tensor& hidden,
                  const WantedLogits& wanted,
                  int64_t logit_rows,
                  std::span<SequenceScore> scores) {
  const at::Tensor positions = at::tensor(wanted.positions, at::kLong).to(hidden.device());
  auto entry = wanted.entries.begin();
  for (int64_t first = 0; first < positions.size(0); first += logit_rows) {
    const int64_t last = std::min(first + logit_rows, positions.size(0));
    const auto end = std::ranges::lower_bound(
        entry, wanted.entries.end(), last, {}, &WantedLogits::Entry::position);
    const at::Tensor rows = hidden.index_select(/*dim=*/0, positions.slice(/*dim=*/0, first, last));
    score_chunk(model, final_norm(model, rows), std::span(entry, end), first, scores);
    entry = end;
  }
}

}  // namespace slayer
