#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "slayer/checkpoint/checkpoint.h"
#include "slayer/core/json.h"
#include "slayer/surgery/record.h"
#include "slayer/train/trainable.h"

namespace slayer {

/// Which of a model's weights a training changes.
enum class Method : uint8_t {
  kPlan,    ///< The layers that the checkpoint's plan marks.
  kLastK,   ///< The last k layers.
  kLayers,  ///< Layers named one by one.
  kFull,    ///< Everything, embeddings, norms and head too.
  kLora     ///< Low-rank additions to linear layers, merged into the weights at the end.
};

/// "plan", "last-k", "layers", "full" or "lora". @throws Error for another word.
Method method_from_name(std::string_view name);
std::string_view name_of(Method method);

/// --method and the options that belong to one of the methods. What is left open of LoRA's is
/// filled by `resolve`: rank 64, alpha twice the rank, all linear layers.
/// Source: Biderman et al. 2024, arXiv 2405.09673, section 6 (all layers, alpha = 2 rank).
struct MethodOptions {
  Method method = Method::kPlan;
  std::optional<int64_t> last_k = {};
  std::vector<int64_t> layers = {};
  std::optional<int64_t> lora_rank = {};
  std::optional<double> lora_alpha = {};
  std::vector<std::string> lora_targets = {};  ///< "q_proj", ..., or "all-linear".
  std::filesystem::path adapter = {};  ///< Folder of a PEFT adapter to start from; or empty.
};

/// @throws Error naming the option that is out of range, missing, or of another method.
void validate(const MethodOptions& options);

/// Fills what is left open, from the adapter where one is given.
/// @throws Error when the adapter cannot be read, or differs from an option that was given.
MethodOptions resolve(MethodOptions options);

/// The resolved options as OUT/training.json keeps them; an adapter by its content.
Json method_settings(const MethodOptions& resolved);

/// Takes over what was chosen for options that are left open here.
void keep_choices(MethodOptions& options, const JsonObject& stored);

/// What the method trains in this checkpoint.
/// @throws Error for a plan that is missing, trains nothing or is for another depth, and for layers
/// that the model does not have.
TrainableSet trainable_set(const MethodOptions& resolved,
                           const Checkpoint& checkpoint,
                           const std::optional<SurgeryRecord>& record);

/// The same in the model that a plan describes, before it is there; a plan may train nothing.
TrainableSet trainable_set(const MethodOptions& resolved, const Plan& plan);

/// "layers 1, 3", "all weights", "rank 8 (alpha 16) beside q_proj, v_proj of 32 layers".
std::string describe(const TrainableSet& set);

}  // namespace slayer
