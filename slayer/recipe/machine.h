#pragma once

#include <cstdint>

#include "slayer/core/json.h"

namespace slayer {

/// What a run's numbers and times depend on besides its recipe: processor, cores, memory, system,
/// compiler, libtorch and slayer's version.
Json describe_machine();

/// Largest resident memory since reset_peak_memory, in bytes; 0 where the system does not tell.
int64_t peak_memory();
void reset_peak_memory();

/// The machine's memory in bytes; 0 where the system does not tell.
int64_t total_memory();

}  // namespace slayer
