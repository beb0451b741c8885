#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "slayer/eval/scoring.h"
#include "slayer/eval/wanted_logits.h"
#include "slayer/model/attention_mask.h"

namespace slayer {

struct PackingOptions {
  int64_t chunk_tokens = 4096;  ///< About how many tokens are carried through the layers at a time.
  int64_t row_tokens = 512;     ///< Short sequences share a row up to this length.
};

/// Sequences that run as one tensor: rows of one length, or one row of many sequences that are
/// blind to each other. Either way nothing is padded.
struct PackedBatch {
  at::Tensor input_ids;  ///< [rows, columns] int64
  BatchLayout layout;    ///< Undefined tensors: causal rows.
  WantedLogits wanted;   ///< Positions in the flattened rows, slots in the chunk.
};

/// Groups that go through the layers together.
struct PackedChunk {
  size_t first_group = 0;
  size_t last_group = 0;             ///< Half-open.
  std::vector<size_t> first_slot;    ///< Of each of the groups, and one past the last.
  std::vector<int64_t> prefix = {};  ///< Tokens that all groups begin with, left out of batches.
  std::vector<PackedBatch> batches = {};

  size_t slots() const { return first_slot.back(); }
};

/// Cuts groups into chunks, each in order, and lays them out. Tokens that all of a chunk's groups
/// begin with are taken out where that pays.
/// @pre every sequence has a token to score and one before it.
std::vector<PackedChunk> pack_groups(std::span<const SequenceGroup> groups,
                                     const PackingOptions& options,
                                     at::Device device);

}  // namespace slayer
