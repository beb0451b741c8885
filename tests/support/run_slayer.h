#pragma once

#include <cstdlib>
#include <fmt/format.h>
#include <string>
#include <sys/wait.h>
#include <vector>

#include "slayer/core/file.h"

#include "tests/support/scratch_folder.h"

namespace slayer {

/// What one run of the executable did.
struct Outcome {
  int exit_code = 0;  ///< 128 + signal when a signal ended it, as a shell says it.
  std::string out;    ///< Standard output.
  std::string err;    ///< Standard error.
};

/// Runs a shell command line.
inline Outcome run_shell(const std::string& command) {
  const ScratchFolder folder;
  const std::string out = folder / "out";
  const std::string err = folder / "err";
  const int status = std::system(fmt::format("({}) >'{}' 2>'{}'", command, out, err).c_str());
  return {.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
          .out = read_text_file(out),
          .err = read_text_file(err)};
}

/// The word as a shell takes it literally.
inline std::string quoted(const std::string& word) {
  std::string inside;
  for (const char c : word) {
    inside += c == '\'' ? std::string("'\\''") : std::string(1, c);
  }
  return fmt::format("'{}'", inside);
}

/// Runs `slayer` with these arguments.
inline Outcome run_slayer(const std::vector<std::string>& arguments) {
  std::string command = quoted(SLAYER_BINARY);
  for (const std::string& argument : arguments) {
    command += " " + quoted(argument);
  }
  return run_shell(command);
}

}  // namespace slayer
