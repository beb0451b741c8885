#pragma once

#include <filesystem>
#include <vector>

#include "slayer/core/json.h"

namespace slayer {

/// All rows of a data set's file, each a JSON object: a .parquet, or a .jsonl with one object a
/// line (either of the latter's compressed forms, .jsonl.gz and .jsonl.zst, too).
/// @throws Error naming the file and the line for what is not a row.
std::vector<Json> read_rows(const std::filesystem::path& path);

}  // namespace slayer
