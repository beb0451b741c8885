#pragma once

#include <filesystem>

namespace slayer {

/// The task files that come with slayer: SLAYER_TASKS_DIR of the environment, else those installed
/// beside the executable (../share/slayer/tasks), else those of the source tree it was built from.
std::filesystem::path default_task_folder();

}  // namespace slayer
