#include "slayer/eval/branched_rows.h"

#include <algorithm>
#include <cassert>

namespace slayer {
namespace {

constexpr int64_t kPadding = 0;  // Any valid token: nothing real attends to it.

/// How many tokens all inputs (sequences without their last token) begin with.
int64_t shared_length(std::span<const ScoredSequence> sequences) {
  const std::vector<TokenId>& first = sequences.front().tokens;
  int64_t shared = std::ssize(first) - 1;
  for (const ScoredSequence& sequence : sequences) {
    const auto limit = std::min(shared, std::ssize(sequence.tokens) - 1);
    const auto differing =
        std::mismatch(first.begin(), first.begin() + limit, sequence.tokens.begin()).first;
    shared = differing - first.begin();
  }
  return shared;
}

/// Attention in one row grows with the square of its length, so long branches go alone.
bool is_worth_sharing(std::span<const ScoredSequence> sequences) {
  constexpr int64_t kAlwaysShort = 512;
  const int64_t shared = shared_length(sequences);
  int64_t row = shared;
  int64_t longest = 0;
  for (const ScoredSequence& sequence : sequences) {
    const int64_t input = std::ssize(sequence.tokens) - 1;
    row += input - shared;
    longest = std::max(longest, input);
  }
  return row <= std::max(kAlwaysShort, 2 * longest);
}

/// One row of `sequences`, the first of which is number `first_sequence` of its group.
BranchedRow lay_out(std::span<const ScoredSequence> sequences,
                    size_t group,
                    size_t first_sequence) {
  BranchedRow row;
  row.group = group;
  row.shared = shared_length(sequences);
  const auto append = [&row](const std::vector<TokenId>& tokens, int64_t begin, int64_t end) {
    for (int64_t position = begin; position < end; ++position) {
      row.input_ids.push_back(tokens[static_cast<size_t>(position)]);
      row.position_ids.push_back(position);
    }
  };
  append(sequences.front().tokens, 0, row.shared);
  for (size_t index = 0; index < sequences.size(); ++index) {
    const ScoredSequence& sequence = sequences[index];
    const int64_t length = std::ssize(sequence.tokens);
    assert(sequence.first_scored >= 1 && sequence.first_scored < length);
    const int64_t begin = row.size();
    if (row.shared < length - 1) {
      row.branch_begin.push_back(begin);
      append(sequence.tokens, row.shared, length - 1);
    }
    for (int64_t scored = sequence.first_scored; scored < length; ++scored) {
      const int64_t source = scored - 1;
      row.scored.push_back({.column = source < row.shared ? source : begin + source - row.shared,
                            .token = sequence.tokens[static_cast<size_t>(scored)],
                            .sequence = first_sequence + index});
    }
  }
  return row;
}

}  // namespace

std::vector<BranchedRow> lay_out_groups(std::span<const SequenceGroup> groups) {
  std::vector<BranchedRow> rows;
  for (size_t index = 0; index < groups.size(); ++index) {
    const std::span<const ScoredSequence> sequences(groups[index]);
    if (is_worth_sharing(sequences)) {
      rows.push_back(lay_out(sequences, index, 0));
      continue;
    }
    for (size_t sequence = 0; sequence < sequences.size(); ++sequence) {
      rows.push_back(lay_out(sequences.subspan(sequence, 1), index, sequence));
    }
  }
  return rows;
}

int64_t common_prefix(std::span<const BranchedRow> rows) {
  const BranchedRow& first = rows.front();
  int64_t prefix = first.shared;
  for (const BranchedRow& row : rows) {
    const int64_t first_scored = std::ranges::min(row.scored, {}, &ScoredPosition::column).column;
    const int64_t limit = std::min({prefix, row.shared, first_scored});
    prefix =
        std::mismatch(row.input_ids.begin(), row.input_ids.begin() + limit, first.input_ids.begin())
            .first -
        row.input_ids.begin();
  }
  return prefix;
}

void remove_prefix(BranchedRow& row, int64_t prefix) {
  row.input_ids.erase(row.input_ids.begin(), row.input_ids.begin() + prefix);
  row.position_ids.erase(row.position_ids.begin(), row.position_ids.begin() + prefix);
  row.shared -= prefix;
  for (int64_t& begin : row.branch_begin) {
    begin -= prefix;
  }
  for (ScoredPosition& scored : row.scored) {
    scored.column -= prefix;
  }
}

at::Tensor row_mask(const BranchedRow& row, int64_t columns, int64_t prefix) {
  const at::Tensor mask = at::ones({columns, prefix + columns}, at::kBool).tril(prefix);
  for (size_t branch = 0; branch < row.branch_begin.size(); ++branch) {
    const int64_t begin = row.branch_begin[branch];
    const int64_t end =
        branch + 1 < row.branch_begin.size() ? row.branch_begin[branch + 1] : row.size();
    mask.slice(/*dim=*/0, begin, end)
        .slice(/*dim=*/1, prefix + row.shared, prefix + begin)
        .fill_(false);
  }
  return mask;
}

BranchedBatch pad_rows(std::span<const BranchedRow> rows, int64_t prefix) {
  const int64_t count = std::ssize(rows);
  const int64_t columns = std::ranges::max(rows, {}, &BranchedRow::size).size();
  const at::Tensor input_ids = at::full({count, columns}, kPadding, at::kLong);
  const at::Tensor position_ids =
      at::arange(prefix, prefix + columns, at::kLong).repeat({count, 1});
  std::vector<at::Tensor> masks;
  const bool is_causal = std::ranges::all_of(rows, &BranchedRow::is_causal);
  for (int64_t i = 0; i < count; ++i) {
    const BranchedRow& row = rows[static_cast<size_t>(i)];
    std::ranges::copy(row.input_ids, input_ids[i].data_ptr<int64_t>());
    std::ranges::copy(row.position_ids, position_ids[i].data_ptr<int64_t>());
    if (!is_causal) {
      masks.push_back(row_mask(row, columns, prefix));
    }
  }
  if (is_causal) {
    return {.input_ids = input_ids, .layout = {}};
  }
  return {.input_ids = input_ids,
          .layout = {.position_ids = position_ids, .mask = at::stack(masks).unsqueeze(1)}};
}

}  // namespace slayer
