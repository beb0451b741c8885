#pragma once

#include <string>
#include <vector>

#include "slayer/core/json.h"

namespace slayer {

/// A run in three sentences: what was gained, what was forgotten, what it cost. Whether something
/// changed is said by its interval, not by the number alone.
/// @param data what read_run gathers; "summary" must be there.
/// @param file the summary's, for errors. @throws Error naming it and the key that is missing.
std::vector<std::string> answer(const Json& data, const std::string& file);

}  // namespace slayer
