#pragma once

#include <filesystem>

namespace slayer {

/// Writes report.html, and report.md where the run is finished, into the run's folder from the JSON
/// in it; of a probe's .json file, the page beside it under the same name. Returns the page's path.
/// @throws Error when there is nothing to report, and for files that are not what they should be.
std::filesystem::path write_report(const std::filesystem::path& run_or_probe);

}  // namespace slayer
