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

/// A table of a recipe's variants: what each gained, forgot and cost.
std::string report_variants(const Json& summary, const std::string& file, TableStyle style);

/// Parts of report_run: both models' sizes and the check of surgery, the table of held-out texts,
/// the time of all stages.
std::string describe_models(const JsonObject& summary);
std::string tabulate_perplexities(const JsonObject& summary, TableStyle style);
std::string describe_time(const JsonObject& summary);

}  // namespace slayer
