#include "slayer/eval/task_folder.h"

#include <cstdlib>
#include <system_error>

namespace slayer {

std::filesystem::path default_task_folder() {
  if (const char* const from_environment = std::getenv("SLAYER_TASKS_DIR")) {
    return from_environment;
  }
  std::error_code ignored;
  const std::filesystem::path executable = std::filesystem::read_symlink("/proc/self/exe", ignored);
  const std::filesystem::path installed =
      executable.parent_path().parent_path() / "share" / "slayer" / "tasks";
  return std::filesystem::is_directory(installed, ignored) ? installed : SLAYER_TASKS_DIR;
}

}  // namespace slayer
