#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "slayer/checkpoint/family.h"
#include "slayer/surgery/plan.h"

namespace slayer {

/// Fills `values` with one stretch of a tensor of a source layer, as float32.
using ReadSource = std::function<void(int64_t source_layer, std::span<float> values)>;

/// Computes one stretch of one tensor of a planned layer. The order of operations is fixed, all in
/// float32, so that every caller gets the same bits:
///   copy      x_0
///   average   (x_0 + x_1 + ...) / n, or w_0 x_0 + w_1 x_1 + ... with weights
///   collapse  x_0 + (x_1 - x_0) + (x_2 - x_0) + ...
/// and zeros, without reading, where the layer has zero output and `role` is part of it.
/// `read` is called once for each source, in order, with a span of values.size() elements.
void initialize(const PlannedLayer& layer,
                TensorRole role,
                const ReadSource& read,
                std::span<float> values);

/// True when a tensor of that role is zero: part of the output of a layer with zero output.
bool is_zero(const PlannedLayer& layer, TensorRole role);

/// True when a tensor of that role is the source's, bit for bit: nothing to compute.
bool is_copied(const PlannedLayer& layer, TensorRole role);

}  // namespace slayer
