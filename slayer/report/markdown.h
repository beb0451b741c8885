#pragma once

#include <filesystem>
#include <string>

#include "slayer/core/json.h"

namespace slayer {

/// A finished run as report.md: the answer, held-out text, benchmarks, layers, time, samples.
/// @param data what read_run gathers. @throws Error naming `file` (the summary's) and the key where
/// something is missing.
std::string report_markdown(const Json& data, const std::string& file);

/// Text that a Markdown reader shows as it is: no markup, no HTML.
std::string markdown_text(const std::string& text);

}  // namespace slayer
