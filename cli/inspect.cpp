#include "cli/command.h"

namespace slayer::cli {

void add_inspect(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("inspect", "What a checkpoint is");
  add_output_options(*command, context);
}

}  // namespace slayer::cli
