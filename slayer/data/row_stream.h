#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>

#include "slayer/core/json.h"

namespace slayer {

/// What a file holds, by its name; .gz or .zst may follow all but .parquet.
enum class FileKind : uint8_t {
  kUnknown,
  kText,       ///< .txt: the file is one document.
  kJsonLines,  ///< .jsonl: an object a line.
  kJsonArray,  ///< .json: a list of objects.
  kCsv,        ///< .csv: a header, then a row each (RFC 4180).
  kParquet     ///< .parquet
};

FileKind kind_of(const std::filesystem::path& file);

/// One row and its number: the line in a .jsonl, otherwise counted from 1, a .csv's header left
/// out.
using OnRow = std::function<void(Json row, int64_t number)>;

/// Gives out a file's rows in order, each a JSON object: all columns of a .csv are strings.
/// Only a .json is held in memory whole; of a .parquet one row group is.
/// `on_bytes` is called with the bytes of the file consumed since the last call.
/// @throws Error naming the file and the row for what is not one, or the byte of text that is not
/// UTF-8.
void stream_rows(const std::filesystem::path& file,
                 const OnRow& on_row,
                 const std::function<void(int64_t)>& on_bytes);

}  // namespace slayer
