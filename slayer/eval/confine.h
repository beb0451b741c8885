#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace slayer {

/// What a process may still do after confine().
struct Confinement {
  std::vector<std::string> readable = {};  ///< Files and folders, each with all that is below.
  std::string writable = {};               ///< A folder; empty: nothing can be written.
  uint64_t cpu_seconds = 0;
  uint64_t memory_bytes = 0;  ///< Of address space.
  uint64_t file_bytes = 0;    ///< Of each file written.
  uint64_t processes = 0;     ///< Of this user; does not bind root.
};

/// The running kernel's version of Landlock; 0 where it has none.
int landlock_version();

/// Whether the running kernel takes filters of system calls (seccomp).
bool has_system_call_filter();

/// Takes all else from this process, for ever and for what it executes: resource limits, then
/// Landlock (files, TCP, signals to others) and a filter of system calls (no new processes, no
/// sockets, no signals, nothing that changes namespaces, limits or other processes) where the
/// kernel has them. Needs no privileges.
/// @throws std::system_error when the kernel refuses what it claims to have.
void confine(const Confinement& confinement);

}  // namespace slayer
