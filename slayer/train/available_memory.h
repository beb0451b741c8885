#pragma once

#include <cstdint>
#include <optional>

namespace slayer {

/// Bytes of memory that a process may still take: what the system has, or what a container leaves.
/// Nothing where the system does not tell.
std::optional<int64_t> available_memory();

}  // namespace slayer
