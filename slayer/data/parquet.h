#pragma once

#include <filesystem>
#include <vector>

#include "slayer/core/json.h"

namespace slayer {

/// All rows of a Parquet file, each an object of its columns: booleans, integers, floats, strings,
/// lists and structs of them, null where nothing is stored.
/// @throws Error naming the file when it is not Parquet or corrupt; naming the column where its
/// type has no JSON form; saying so when slayer was built without Parquet.
std::vector<Json> read_parquet(const std::filesystem::path& path);

}  // namespace slayer
