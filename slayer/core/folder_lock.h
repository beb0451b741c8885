#pragma once

#include <filesystem>

#include "slayer/core/file_descriptor.h"

namespace slayer {

/// Keeps a folder to one process: two that write the same training or run would spoil both. The
/// kernel lets go of it however the process ends; nothing lies in the folder.
class FolderLock final {
 public:
  /// Makes the folder where it is not there. On a file system without locks it is not held.
  /// @throws Error where it cannot be made, or another process holds it.
  explicit FolderLock(const std::filesystem::path& folder);

 private:
  FileDescriptor descriptor_;
};

}  // namespace slayer
