#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "slayer/checkpoint/checkpoint.h"
#include "slayer/core/dtype.h"
#include "slayer/surgery/model_folder.h"
#include "slayer/surgery/plan.h"

namespace slayer {

/// Writes the checkpoint that `plan` makes of `base` as a Hugging Face folder: weights, config.json
/// with the new layers, the base's other files byte for byte, slayer.json and a model card.
/// Streams: copied tensors go from file to file inside the kernel, computed ones through a few
/// megabytes. Tensors are stored in their base's dtype, or as `dtype` where that is given; a
/// GGUF's, which have none of their own, as bfloat16. Same base, plan and options, same bytes.
/// @throws Error when the base has problems, the plan is for another model, or the disk fails;
/// Interrupted when asked to stop. Either way nothing is left under `out`.
void apply(const Checkpoint& base,
           const Plan& plan,
           std::optional<Dtype> dtype,
           const std::filesystem::path& out,
           const WriteOptions& options);

/// The files of that folder beside the weights, by name. `dtype`: what config.json is to say where
/// weights are not stored as the base's.
std::map<std::string, std::string> files_beside_weights(const Checkpoint& base,
                                                        const Plan& plan,
                                                        std::optional<Dtype> dtype);

/// @throws Error naming `plan_file` unless the plan is for a model of that depth and, if it names
/// one, of that hash.
void require_plan_for(const Checkpoint& base, const Plan& plan, const std::string& plan_file);

/// "Llama-2-7b" of the folder "models/Llama-2-7b/": what a checkpoint is called in what we write.
std::string name_of(const Checkpoint& checkpoint);

}  // namespace slayer
