#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "slayer/core/json.h"

namespace slayer {

/// Parses TOML into the JSON of the same shape, for JsonObject to read: keys in the file's order,
/// dates and times refused.
/// @throws Error naming `file`, the line and the column where it fails.
Json parse_toml(std::string_view text, const std::string& file);

/// Reads and parses a file. @throws Error as above.
Json read_toml_file(const std::filesystem::path& path);

}  // namespace slayer
