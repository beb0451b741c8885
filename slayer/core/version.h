#pragma once

#include <string_view>

namespace slayer {

/// "0.1.0": the project's version, from CMakeLists.txt.
std::string_view version();

}  // namespace slayer
