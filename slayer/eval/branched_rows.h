#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "slayer/eval/scoring.h"

namespace slayer {

/// One logit that is wanted.
struct ScoredPosition {
  int64_t column;   ///< Where in the row the token is predicted from.
  int64_t token;    ///< The token whose probability is wanted.
  size_t sequence;  ///< Which of the group's sequences it belongs to.
};

/// Sequences laid out as one row of a batch: the tokens that they share, then each one's rest
/// ("branch"). Branches see the shared tokens and themselves, not each other.
///
///   shared shared shared | branch 0 | branch 1 | branch 2
struct BranchedRow {
  size_t group = 0;  ///< Whose sequences these are.
  std::vector<int64_t> input_ids;
  std::vector<int64_t> position_ids;
  int64_t shared = 0;                 ///< Columns before the first branch.
  std::vector<int64_t> branch_begin;  ///< First column of each non-empty branch.
  std::vector<ScoredPosition> scored;

  int64_t size() const { return std::ssize(input_ids); }
  /// With at most one branch a row is an ordinary causal sequence.
  bool is_causal() const { return branch_begin.size() <= 1; }
};

/// Lays out each group as one row or, where its sequences share too little for that to pay, as one
/// row a sequence.
/// @pre every sequence has a token to score and one before it.
std::vector<BranchedRow> lay_out_groups(std::span<const SequenceGroup> groups);

/// How many tokens all rows begin with and none is scored from: what can be computed once for all.
int64_t common_prefix(std::span<const BranchedRow> rows);

/// Takes the first `prefix` tokens out of a row; the others keep their positions.
/// @pre prefix <= common_prefix() of rows among which the row is.
void remove_prefix(BranchedRow& row, int64_t prefix);

/// What each column of a row attends to, and columns of padding behind it.
/// @param prefix tokens before the row that all its columns see.
/// @return [columns, prefix + columns] bool.
at::Tensor row_mask(const BranchedRow& row, int64_t columns, int64_t prefix);

/// Rows padded on the right to the longest, on the CPU.
struct BranchedBatch {
  at::Tensor input_ids;  ///< [rows, columns] int64
  /// Undefined tensors where all rows are causal: then padding at the right harms nobody.
  BatchLayout layout;
};

/// @param prefix tokens that were removed from each row and are in the cache.
BranchedBatch pad_rows(std::span<const BranchedRow> rows, int64_t prefix);

}  // namespace slayer
