#pragma once

#include <string>
#include <string_view>

#include "slayer/core/file.h"

#include "tests/support/scratch_folder.h"

namespace slayer {

/// Writes a file into the folder. @return its path.
inline std::string file_in(const ScratchFolder& folder,
                           const std::string& name,
                           std::string_view content) {
  write_text_file(folder / name, content);
  return (folder / name).string();
}

}  // namespace slayer
