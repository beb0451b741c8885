#include "slayer/train/folder.h"

#include <algorithm>
#include <system_error>

#include "slayer/core/error.h"

namespace slayer {
namespace fs = std::filesystem;

std::optional<Json> TrainFolder::stored_settings() const {
  if (fs::exists(settings_file())) {
    return read_json_file(settings_file());
  }
  if (!fs::exists(path_)) {
    return std::nullopt;
  }
  if (!fs::is_directory(path_)) {
    throw Error({.file = path_.string(), .found = "a file", .expected = "a new folder"});
  }
  const bool is_free = std::ranges::all_of(fs::directory_iterator(path_), [&](const auto& entry) {
    return entry.path() == cache() || entry.path().extension() == ".partial";
  });
  if (!is_free) {
    throw Error({.file = path_.string(),
                 .found = "a folder with other files in it",
                 .expected = "a new folder, or one that holds a training"});
  }
  return std::nullopt;
}

void TrainFolder::clear() const {
  // The settings go first: what is left without them is refused, never taken for a training.
  for (const fs::path& path :
       {settings_file(), metrics_file(), events_file(), checkpoints(), model(), adapter()}) {
    std::error_code error;
    fs::remove_all(path, error);
    if (error) {
      throw Error({.file = path.string(), .item = "cannot remove", .found = error.message()});
    }
  }
}

}  // namespace slayer
