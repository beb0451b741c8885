#include "slayer/core/folder_lock.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>

#include "slayer/core/error.h"
#include "slayer/core/file.h"

namespace slayer {
namespace {

int open_folder(const std::filesystem::path& folder) {
  create_folders(folder);
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) {
    throw_system_error(folder, "cannot open");
  }
  return descriptor;
}

}  // namespace

FolderLock::FolderLock(const std::filesystem::path& folder) : descriptor_(open_folder(folder)) {
  if (::flock(descriptor_.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    throw Error({.file = folder.string(),
                 .found = "another slayer at work in it",
                 .expected = "a folder of its own",
                 .hint = "wait for it to end, or choose another --out"});
  }
}

}  // namespace slayer
