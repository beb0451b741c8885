#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "slayer/surgery/plan.h"

namespace slayer {

/// One question that a sweep asks: how does the model do under this plan?
struct Variant {
  std::string method;  ///< "base", "remove", "last", "expand", "prune" or "collapse".
  int64_t layer = 0;   ///< The first layer removed, the one repeated; of "last", how many.
  std::vector<int64_t> removed = {};  ///< Of "remove", "prune" and "collapse".
  Plan plan = {};

  /// Unique within a sweep: "remove 5", "prune 5,6".
  std::string name() const;
};

Variant base_variant(int64_t layers);

/// Each `span` consecutive layers removed, at every start.
/// @throws Error unless a layer at least is left.
std::vector<Variant> removal_variants(int64_t layers, int64_t span);

/// The last 1, 2, ..., `most` layers removed. @throws Error unless a layer at least is left.
std::vector<Variant> last_variants(int64_t layers, int64_t most);

/// What a repeat is made of.
enum class RepeatInit : uint8_t {
  kCopy,    ///< The layer itself.
  kAverage  ///< The mean of the layer and the next one; the last layer is copied.
};

/// @throws Error when `name` is neither "copy" nor "average".
RepeatInit repeat_init_from_name(const std::string& name);

/// After each layer in turn `copies` more. Their outputs are not zeroed: an identity would cost
/// nothing anywhere.
/// Source: Chen et al. 2024, Llama SLayer 8B, section 3.
std::vector<Variant> expansion_variants(int64_t layers, RepeatInit init, int64_t copies);

/// These layers removed; with `mode` collapse the last kept layer before each absorbs them.
Variant prune_variant(int64_t layers, const std::vector<int64_t>& removed, bool collapses);

}  // namespace slayer
