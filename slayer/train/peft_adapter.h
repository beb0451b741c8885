#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "slayer/train/lora.h"
#include "slayer/train/trainable.h"

namespace slayer {

/// adapter_config.json of a LoRA adapter that PEFT, or slayer, wrote.
/// @throws Error for what slayer does not do: other kinds of adapters, DoRA, rank-stabilised
/// scaling, trained biases, ranks or layers of their own, patterns for target names.
LoraOptions read_adapter_config(const std::filesystem::path& folder);

/// SHA-256 over both files of the adapter.
std::string adapter_hash(const std::filesystem::path& folder);

/// Fills `parameters`, which make_trainable made for LoRA, from adapter_model.safetensors.
/// @throws Error when a tensor is missing, left over, of another shape, or no float.
void load_adapter(const std::filesystem::path& folder, std::vector<TrainableParameter>& parameters);

/// Writes adapter_config.json and adapter_model.safetensors for PEFT; the folder appears whole or
/// not at all, and replaces one that is there.
/// @param base  the checkpoint that the adapter belongs to.
void write_adapter(const std::filesystem::path& folder,
                   const std::string& base,
                   const LoraOptions& options,
                   const std::vector<TrainableParameter>& parameters);

}  // namespace slayer
