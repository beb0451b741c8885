#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "slayer/data/packing.h"
#include "slayer/model/attention_mask.h"

namespace slayer {

/// Rows that run through the model together.
struct Batch {
  at::Tensor input_ids;   ///< [rows, seq] int64
  at::Tensor target_ids;  ///< [rows, seq] int64, kNoTarget where there is none.
  BatchLayout layout;     ///< Undefined where every row is one piece.
  int64_t target_count = 0;
};

/// @param sequences of one length, at least one.
Batch make_batch(const std::vector<Sequence>& sequences, at::Device device);

}  // namespace slayer
