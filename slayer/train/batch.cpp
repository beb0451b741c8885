#include "slayer/train/batch.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace slayer {
namespace {

at::Tensor stack_rows(const std::vector<Sequence>& sequences,
                      std::vector<int64_t> Sequence::* row,
                      at::Device device) {
  std::vector<at::Tensor> rows;
  rows.reserve(sequences.size());
  for (const Sequence& sequence : sequences) {
    rows.push_back(at::tensor(sequence.*row, at::kLong));
  }
  return at::stack(rows).to(device);
}

BatchLayout layout_of(const std::vector<Sequence>& sequences, at::Device device) {
  std::vector<at::Tensor> position_ids;
  BatchLayout layout;
  for (const Sequence& sequence : sequences) {
    position_ids.push_back(
        packed_layout(sequence.pieces, /*shared_prefix=*/0, device).position_ids);
    layout.pieces.insert(layout.pieces.end(), sequence.pieces.begin(), sequence.pieces.end());
  }
  layout.position_ids = at::cat(position_ids);
  return layout;
}

}  // namespace

Batch make_batch(const std::vector<Sequence>& sequences, at::Device device) {
  Batch batch{.input_ids = stack_rows(sequences, &Sequence::input_ids, device),
              .target_ids = stack_rows(sequences, &Sequence::target_ids, device),
              .layout = {}};
  if (!std::ranges::all_of(sequences, [](const Sequence& s) { return s.pieces.size() == 1; })) {
    batch.layout = layout_of(sequences, device);
  }
  for (const Sequence& sequence : sequences) {
    batch.target_count += sequence.target_count;
  }
  return batch;
}

}  // namespace slayer
