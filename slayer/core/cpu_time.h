#pragma once

namespace slayer {

/// User and system time of all of the process's threads so far, ended ones too, in seconds.
double process_cpu_seconds();

}  // namespace slayer
