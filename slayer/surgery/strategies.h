#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "slayer/surgery/plan.h"

namespace slayer {

/// What becomes of the layers that a plan deletes.
enum class PruneMode : uint8_t {
  kDrop,     ///< They are left out.
  kCollapse  ///< The last kept layer before each run of them absorbs it (LaCo, arXiv 2402.11187).
};

/// @throws Error when `name` is neither "drop" nor "collapse".
PruneMode prune_mode_from_name(std::string_view name);

/// The layers that a plan deletes, in any order.
struct Prune {
  std::vector<int64_t> layers = {};
  PruneMode mode = PruneMode::kDrop;
};

/// The last `count` of `source_layers` layers. @throws Error unless one layer at least is left.
std::vector<int64_t> last_layers(int64_t source_layers, int64_t count);

/// The S strategy of Llama SLayer: in the first floor(shallow * source_layers) layers, after every
/// `every`-th one (layer i) a new block, the average of layers i and i + 1 with zero output; where
/// there is no layer i + 1, a copy of i. Positions and averages are those of the source; `prune`
/// takes its layers away afterwards. New layers, the last kept layer and those that absorb others
/// train.
/// @throws Error for counts out of range, a shallow part without a place for a new layer, and
/// layers to prune that are not there, come twice, or leave nothing.
/// Source: Chen et al. 2024, Llama SLayer 8B, section 3.
Plan slayer_plan(int64_t source_layers, int64_t every, double shallow, const Prune& prune);

/// New blocks as the S strategy makes them, after the layers that are named (ascending or not, each
/// once) instead of every second one.
/// @throws Error for layers to insert after or to prune that are not there or come twice, and where
/// nothing is inserted and nothing pruned.
Plan densify_plan(int64_t source_layers,
                  const std::vector<int64_t>& insert_after,
                  const Prune& prune);

/// LLaMA Pro's block expansion: `new_blocks` groups of layers as even as they can be, each followed
/// by a copy of its last layer with zero output. The new layers train.
/// Source: Wu et al. 2024, arXiv 2401.02415, section 3.2.
Plan llama_pro_plan(int64_t source_layers, int64_t new_blocks);

/// Depth up-scaling: the model's beginning, then its end, overlapping in the middle by
/// `added_layers`. All layers train, as in the paper. SOLAR adds half of the layers: 32 to 48.
/// Source: Kim et al. 2023, arXiv 2312.15166, section 2.
Plan solar_plan(int64_t source_layers, int64_t added_layers);

/// Deletes layers and nothing else; the last kept layer and those that absorb others train.
Plan prune_plan(int64_t source_layers, const Prune& prune);

/// Half-open ranges of source layers one after the other, "0:24,8:32", as mergekit's passthrough
/// takes them. Layers that come again train.
/// @throws Error for text of another form and ranges that are empty or out of range.
Plan passthrough_plan(int64_t source_layers, std::string_view ranges);

}  // namespace slayer
