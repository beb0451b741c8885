#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace slayer {

/// What a child process wrote.
struct ChildOutput {
  std::string out;
  std::string err;
  std::string status;               ///< What it wrote to descriptor 3.
  bool has_exceeded_limit = false;  ///< Of output: it was asked to end (SIGTERM).
};

/// Runs a command until it ends, its standard input empty. The child gets descriptors 0 to 3 and,
/// as far as they are not marked to be closed, this process's others.
/// @param patience     after it the child is killed.
/// @param output_limit of standard output and error together, in bytes.
/// @throws Error when it cannot be started.
ChildOutput run_child(const std::vector<std::string>& command,
                      std::chrono::milliseconds patience,
                      size_t output_limit);

}  // namespace slayer
