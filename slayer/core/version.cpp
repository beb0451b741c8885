#include "slayer/core/version.h"

namespace slayer {

std::string_view version() { return SLAYER_VERSION; }

}  // namespace slayer
