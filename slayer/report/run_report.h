#pragma once

#include <filesystem>
#include <string>

#include "slayer/core/json.h"
#include "slayer/report/table.h"

namespace slayer {

/// What a run came to, for a person: sizes, the check of surgery, gain and forgetting with their
/// intervals, time, and samples of both models.
/// @param summary content of a run's summary.json. @throws Error naming `file` and the key where it
/// is not one.
std::string report_run(const Json& summary, const std::string& file, TableStyle style);

}  // namespace slayer
