#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "slayer/core/json.h"

namespace slayer {

/// How a target layer's weights come from its sources.
enum class Init : uint8_t {
  kCopy,     ///< The one source.
  kAverage,  ///< Weighted mean of the sources, summed in float32.
  kCollapse  ///< theta_k + sum (theta_j - theta_k): the first source absorbs the others (LaCo).
};

/// One layer of the new model.
struct PlannedLayer {
  std::vector<int64_t> from = {};  ///< Source layers; one for kCopy, two or more for kCollapse.
  Init init = Init::kCopy;
  std::vector<double> weights = {};  ///< kAverage only; empty: equal weights. Must add up to 1.
  bool zero_output =
      false;  ///< o_proj, down_proj and their biases zero: the block is the identity.
  bool train = false;

  bool operator==(const PlannedLayer&) const = default;
  /// A source layer as it was: a plain copy, with nothing zeroed.
  bool is_plain_copy() const { return init == Init::kCopy && !zero_output; }
};

/// The ordered layers of a new model: everything that surgery, probe and freezing need follows
/// from it.
struct Plan {
  std::string strategy = "custom";
  int64_t source_layers = 0;
  std::string source_hash = {};  ///< Empty: for any model with that layer count.
  std::vector<PlannedLayer> layers = {};

  bool operator==(const Plan&) const = default;
};

/// @throws Error ("plan.json: layers[3].from: ...") at the first thing that no model could follow.
void validate(const Plan& plan, const std::string& file);

/// plan.json, "format": 1, see design. Reading validates and refuses unknown keys; a layer's
/// "init", "zero_output" and "train" may be left out (copy, false, false), and "strategy" too.
Plan plan_from_json(const Json& json, const std::string& file);
Json plan_to_json(const Plan& plan);

/// A plan as a file: one layer a line, for a person to read and edit.
Plan read_plan_file(const std::filesystem::path& path);
std::string plan_file_text(const Plan& plan);

/// Source layers that no plain copy of the plan keeps, ascending.
std::vector<int64_t> dropped_layers(const Plan& plan);

/// True when the plan's model computes the same logits as its source, bit for bit: every source
/// layer kept once, in order, as it was, and every other layer the identity.
bool is_identity(const Plan& plan);

/// For each target layer, the source layer whose config entries it takes: its first source.
std::vector<int64_t> layer_origins(const Plan& plan);

/// For each target layer whether it is one more than the source has: an average, an identity
/// block, or the second copy of a layer. The others stand for their first source.
std::vector<bool> new_layers(const Plan& plan);

/// For each target layer its origin in words: "copied 5", "copied 5 again", "29 absorbs 30 and 31",
/// "new after 5: average of 5 and 6, zero output".
std::vector<std::string> describe_layers(const Plan& plan);

}  // namespace slayer
