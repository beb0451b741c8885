#include "slayer/probe/packed_chunk.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>

#include "slayer/eval/branched_rows.h"

namespace slayer {
namespace {

constexpr int64_t kShortestPrefix = 16;  ///< Shorter ones are not worth a forward pass.

/// Tokens of the rows that a group becomes, about.
int64_t size_of(const SequenceGroup& group) {
  int64_t tokens = 0;
  for (const BranchedRow& row : lay_out_groups({&group, 1})) {
    tokens += row.size();
  }
  return tokens;
}

/// What is wanted of `row`, whose first column is position `begin` of its batch.
void collect(const BranchedRow& row,
             int64_t begin,
             const PackedChunk& chunk,
             WantedLogits& wanted) {
  std::vector<ScoredPosition> scored = row.scored;
  std::ranges::stable_sort(scored, {}, &ScoredPosition::column);
  for (const ScoredPosition& target : scored) {
    wanted.add(begin + target.column, target.token, chunk.first_slot[row.group] + target.sequence);
  }
}

/// Causal rows of one length, one below the other.
PackedBatch stack(std::span<const BranchedRow> rows, const PackedChunk& chunk, at::Device device) {
  PackedBatch batch;
  std::vector<int64_t> ids;
  for (const BranchedRow& row : rows) {
    collect(row, std::ssize(ids), chunk, batch.wanted);
    ids.insert(ids.end(), row.input_ids.begin(), row.input_ids.end());
  }
  batch.input_ids = at::tensor(ids, at::kLong).view({std::ssize(rows), -1}).to(device);
  return batch;
}

/// Rows one behind the other, blind to each other, all seeing the chunk's prefix.
PackedBatch join(std::span<const BranchedRow> rows, const PackedChunk& chunk, at::Device device) {
  const int64_t prefix = std::ssize(chunk.prefix);
  PackedBatch batch;
  std::vector<int64_t> ids;
  std::vector<int64_t> positions;
  std::vector<at::Tensor> seen_prefixes;
  std::vector<at::Tensor> seen_rows;
  for (const BranchedRow& row : rows) {
    collect(row, std::ssize(ids), chunk, batch.wanted);
    ids.insert(ids.end(), row.input_ids.begin(), row.input_ids.end());
    positions.insert(positions.end(), row.position_ids.begin(), row.position_ids.end());
    const at::Tensor mask = row_mask(row, row.size(), prefix);
    seen_prefixes.push_back(mask.narrow(/*dim=*/1, 0, prefix));
    seen_rows.push_back(mask.narrow(/*dim=*/1, prefix, row.size()));
  }
  const at::Tensor mask =
      at::cat({at::cat(seen_prefixes, /*dim=*/0), at::block_diag(seen_rows)}, /*dim=*/1);
  batch.input_ids = at::tensor(ids, at::kLong).unsqueeze(0).to(device);
  batch.layout = {.position_ids = at::tensor(positions, at::kLong).unsqueeze(0).to(device),
                  .mask = mask.view({1, 1, mask.size(0), mask.size(1)}).to(device)};
  return batch;
}

/// Fills joint rows with what fits, the longest first.
std::vector<std::vector<BranchedRow>> fill_rows(std::vector<BranchedRow> rows, int64_t row_tokens) {
  std::ranges::stable_sort(rows, std::ranges::greater{}, &BranchedRow::size);
  std::vector<std::vector<BranchedRow>> filled;
  std::vector<int64_t> sizes;
  for (BranchedRow& row : rows) {
    const auto fitting =
        std::ranges::find_if(sizes, [&](int64_t size) { return size + row.size() <= row_tokens; });
    const auto index = static_cast<size_t>(fitting - sizes.begin());
    if (fitting == sizes.end()) {
      filled.emplace_back();
      sizes.push_back(0);
    }
    sizes[index] += row.size();
    filled[index].push_back(std::move(row));
  }
  return filled;
}

void lay_out(PackedChunk& chunk,
             std::span<const SequenceGroup> groups,
             const PackingOptions& options,
             at::Device device) {
  std::vector<BranchedRow> rows = lay_out_groups(groups);
  const int64_t prefix = rows.size() < 2 ? 0 : common_prefix(rows);
  if (prefix >= kShortestPrefix) {
    const std::vector<int64_t>& ids = rows.front().input_ids;
    chunk.prefix.assign(ids.begin(), ids.begin() + prefix);
    for (BranchedRow& row : rows) {
      remove_prefix(row, prefix);
    }
  }
  // Long causal rows of one length are fastest as they are; everything else is joined.
  std::map<int64_t, std::vector<BranchedRow>> by_length;
  std::vector<BranchedRow> to_join;
  for (BranchedRow& row : rows) {
    const bool is_long = 2 * row.size() > options.row_tokens;
    auto& place =
        chunk.prefix.empty() && row.is_causal() && is_long ? by_length[row.size()] : to_join;
    place.push_back(std::move(row));
  }
  for (const auto& [length, same] : by_length) {
    chunk.batches.push_back(stack(same, chunk, device));
  }
  for (const auto& joined : fill_rows(std::move(to_join), options.row_tokens)) {
    chunk.batches.push_back(joined.size() == 1 && chunk.prefix.empty() && joined[0].is_causal()
                                ? stack(joined, chunk, device)
                                : join(joined, chunk, device));
  }
}

}  // namespace

std::vector<PackedChunk> pack_groups(std::span<const SequenceGroup> groups,
                                     const PackingOptions& options,
                                     at::Device device) {
  std::vector<PackedChunk> chunks;
  int64_t tokens = options.chunk_tokens;
  for (size_t group = 0; group < groups.size(); ++group) {
    const int64_t size = size_of(groups[group]);
    if (tokens + size > options.chunk_tokens || chunks.empty()) {
      chunks.push_back({.first_group = group, .last_group = group, .first_slot = {0}});
      tokens = 0;
    }
    tokens += size;
    PackedChunk& chunk = chunks.back();
    chunk.last_group = group + 1;
    chunk.first_slot.push_back(chunk.slots() + groups[group].size());
  }
  for (PackedChunk& chunk : chunks) {
    lay_out(chunk,
            groups.subspan(chunk.first_group, chunk.last_group - chunk.first_group),
            options,
            device);
  }
  return chunks;
}

}  // namespace slayer
