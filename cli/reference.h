#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace slayer::cli {

/// One option or positional argument, as --help shows it.
struct OptionReference {
  std::string name;  ///< "--out", or "checkpoint" of a positional.
  std::string type;  ///< "FILE"; empty for a flag.
  std::string description;
  std::string fallback;  ///< The value it has when it is not given.
  bool is_required = false;
  bool is_list = false;
};

/// One subcommand.
struct CommandReference {
  std::string name;
  std::string description;
  std::string footer;  ///< Notes and examples.
  std::vector<OptionReference> positionals;
  std::vector<OptionReference> options;

  /// "slayer export CKPT --gguf FILE --type TEXT [options]"
  std::string synopsis() const;
};

/// All subcommands in their order, from the app itself: what is made of them is never out of date.
std::vector<CommandReference> reference_of(const CLI::App& app);

}  // namespace slayer::cli
