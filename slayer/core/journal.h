#pragma once

#include <filesystem>
#include <fstream>
#include <vector>

#include "slayer/core/json.h"

namespace slayer {

/// A journal's objects, one a line, as far as they were written whole: a kill may have cut the
/// last. None where there is no such file.
std::vector<Json> read_journal(const std::filesystem::path& path);

/// Makes a journal of these lines, which replaces the one that is there at once, and opens it for
/// more. Creates missing parent folders. @throws Error when the disk is full.
std::ofstream begin_journal(const std::filesystem::path& path, const std::vector<Json>& lines);

/// Adds a line that outlives the process. @throws Error when the disk is full.
void append_to_journal(std::ofstream& journal, const std::filesystem::path& path, const Json& line);

}  // namespace slayer
