#pragma once

#include <string>
#include <vector>

#include "slayer/checkpoint/tensor_store.h"

namespace slayer {

/// Checkpoint::problems.
std::vector<std::string> find_problems(const TensorStore& store);

/// True for tensors that old or careless writers leave in a checkpoint and that every reader
/// ignores: rotary frequencies, and a head beside embeddings that config.json ties.
bool is_ignored(const ModelConfig& config, std::string_view name);

}  // namespace slayer
