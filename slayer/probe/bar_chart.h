#pragma once

#include <string>

#include "slayer/core/json.h"

namespace slayer {

/// What a probe.json says, for a terminal: for each text and task and each method a bar a layer
/// with its interval, how the dip goes with depth, and which layers cannot be told apart.
std::string format_probe(const Json& probe);

}  // namespace slayer
