#include "slayer/surgery/pack.h"

#include <fmt/format.h>
#include <memory>
#include <string>

#include "cli/command.h"

namespace slayer::cli {
namespace {

struct PackOptions {
  std::string checkpoint;
  std::string out;
  bool force = false;
};

void run_pack(const PackOptions& options, const Context& context) {
  pack(Checkpoint::open(options.checkpoint),
       options.out,
       {.force = options.force, .progress = context.progress_style(), .stop = context.stop});
  const uint64_t bytes = std::filesystem::file_size(options.out);
  if (context.json) {
    fmt::print("{}", json_text({{"out", options.out}, {"bytes", bytes}}));
  } else {
    fmt::print("{}: {}\n", options.out, format_bytes(static_cast<double>(bytes)));
  }
}

}  // namespace

void add_pack(CLI::App& app, Context& context) {
  CLI::App* const command =
      app.add_subcommand("pack", "Put a checkpoint's new and trained layers into one file");
  const auto options = std::make_shared<PackOptions>();
  command->add_option("checkpoint", options->checkpoint, "A folder that slayer made")
      ->required()
      ->type_name("CKPT");
  command->add_option("--out", options->out, "The pack")->required()->type_name("FILE");
  command->add_flag("--force", options->force, "Replace the file if it exists");
  add_output_options(*command, context);
  command->footer("Example: slayer pack train/model --out law.safetensors");
  command->callback([options, &context] { run_pack(*options, context); });
}

}  // namespace slayer::cli
