#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

#include "slayer/core/json.h"

namespace slayer {

/// All rows of a Parquet file, each an object of its columns: booleans, integers, floats, strings,
/// lists and structs of them, null where nothing is stored.
/// @throws Error naming the file when it is not Parquet or corrupt; naming the column where its
/// type has no JSON form; saying so when slayer was built without Parquet.
std::vector<Json> read_parquet(const std::filesystem::path& path);

/// The same row by row, counted from 1, with one row group in memory at a time.
/// `on_bytes` is called with the bytes of the file consumed since the last call.
void stream_parquet(const std::filesystem::path& path,
                    const std::function<void(Json row, int64_t number)>& on_row,
                    const std::function<void(int64_t)>& on_bytes);

}  // namespace slayer
