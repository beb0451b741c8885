#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "slayer/checkpoint/checkpoint.h"

namespace slayer {

/// The stored bytes of a tensor of a folder; nothing else can give away a flipped bit.
inline std::string bytes_of(const Checkpoint& checkpoint, const std::string& name) {
  const auto stored = checkpoint.stored(*checkpoint.find(name)).value().bytes();
  return {reinterpret_cast<const char*>(stored.data()), stored.size()};
}

/// Every file of a folder: path inside it to content.
inline std::map<std::string, std::string> files_of(const std::filesystem::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) {
      std::ostringstream content;
      content << std::ifstream(entry.path(), std::ios::binary).rdbuf();
      files[entry.path().lexically_relative(folder).string()] = content.str();
    }
  }
  return files;
}

}  // namespace slayer
