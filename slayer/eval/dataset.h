#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "slayer/core/json.h"

namespace slayer {

/// Rows of one split of a data set.
struct Dataset {
  std::string name;  ///< The file, or the folder and split where there are several; for errors.
  std::vector<Json> rows;
};

/// Reads a split laid out as the Hugging Face data set's repository: the files
/// `data_dir/path/split-*.parquet` in the order of their names, or `data_dir/path/split.jsonl`.
/// @throws Error naming the task, the path and the command that downloads it when there is none,
/// and when there are no rows.
Dataset read_split(const std::filesystem::path& data_dir,
                   const std::string& path,
                   const std::string& split,
                   const std::string& task);

/// The files that read_split reads; none where there are none.
std::vector<std::filesystem::path> files_of_split(const std::filesystem::path& data_dir,
                                                  const std::string& path,
                                                  const std::string& split);

}  // namespace slayer
