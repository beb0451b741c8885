#include "slayer/eval/dataset.h"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>

#include "slayer/core/error.h"
#include "slayer/data/rows.h"

namespace slayer {
namespace {

/// "allenai/ai2_arc/ARC-Easy" is the configuration ARC-Easy of allenai/ai2_arc.
std::string download_command(const std::filesystem::path& data_dir,
                             const std::string& path,
                             const std::string& split) {
  const size_t owner_end = path.find('/');
  const size_t name_end =
      owner_end == std::string::npos ? owner_end : path.find('/', owner_end + 1);
  const std::string repository = path.substr(0, name_end);
  const std::string folder = name_end == std::string::npos ? "" : path.substr(name_end + 1) + "/";
  return fmt::format("hf download --repo-type dataset {} --include '{}{}-*' --local-dir {}",
                     repository,
                     folder,
                     split,
                     (data_dir / repository).string());
}

}  // namespace

std::vector<std::filesystem::path> files_of_split(const std::filesystem::path& data_dir,
                                                  const std::string& path,
                                                  const std::string& split) {
  const std::filesystem::path folder = data_dir / path;
  std::vector<std::filesystem::path> files;
  std::error_code missing;
  for (const auto& entry : std::filesystem::directory_iterator(folder, missing)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(split + "-") && name.ends_with(".parquet")) {
      files.push_back(entry.path());
    }
  }
  std::ranges::sort(files);
  if (files.empty() && std::filesystem::exists(folder / (split + ".jsonl"))) {
    files.push_back(folder / (split + ".jsonl"));
  }
  return files;
}

Dataset read_split(const std::filesystem::path& data_dir,
                   const std::string& path,
                   const std::string& split,
                   const std::string& task) {
  const auto files = files_of_split(data_dir, path, split);
  if (files.empty()) {
    throw Error({.file = (data_dir / path / (split + "-*.parquet")).string(),
                 .item = fmt::format("data of task {}", task),
                 .found = "nothing",
                 .expected = fmt::format("this file or {}.jsonl", split),
                 .hint = download_command(data_dir, path, split)});
  }
  Dataset dataset{.name = files.front().string(), .rows = {}};
  for (const std::filesystem::path& file : files) {
    std::ranges::move(read_rows(file), std::back_inserter(dataset.rows));
  }
  if (dataset.rows.empty()) {
    throw Error({.file = dataset.name,
                 .item = fmt::format("data of task {}", task),
                 .found = "no rows",
                 .expected = "at least one"});
  }
  return dataset;
}

}  // namespace slayer
