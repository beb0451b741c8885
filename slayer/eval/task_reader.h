#pragma once

#include <string>

#include "slayer/core/json.h"
#include "slayer/eval/task.h"

namespace slayer {

/// The task that a parsed task file defines; of a family the one of `subset`, which is ""
/// otherwise.
/// @throws Error naming the file and the key for unknown keys, missing or contradictory ones.
Task read_task(const Json& json, const std::string& file, const std::string& subset);

}  // namespace slayer
