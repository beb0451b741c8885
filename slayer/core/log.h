#pragma once

#include <string_view>

namespace slayer {

/// One line on stderr, for what a user should know and no function returns. Silenced by --quiet
/// (`set_quiet`), but for warnings.
void log_info(std::string_view message);
void log_warning(std::string_view message);
void set_quiet(bool quiet);

}  // namespace slayer
