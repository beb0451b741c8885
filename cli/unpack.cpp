#include <fmt/format.h>
#include <memory>
#include <string>
#include <vector>

#include "slayer/surgery/pack.h"

#include "cli/command.h"

namespace slayer::cli {
namespace {

struct UnpackOptions {
  std::string base;
  std::vector<std::string> packs;
  std::string out;
  uint64_t shard_bytes = kDefaultShardBytes;
  bool force = false;
};

void run_unpack(const UnpackOptions& options, const Context& context) {
  unpack(Checkpoint::open(options.base),
         {options.packs.begin(), options.packs.end()},
         options.out,
         {.shard_bytes = options.shard_bytes,
          .force = options.force,
          .progress = context.progress_style(),
          .stop = context.stop});
  const Checkpoint written = Checkpoint::open(options.out);
  const int64_t layers = written.config().num_hidden_layers;
  if (context.json) {
    fmt::print("{}",
               json_text({{"out", options.out}, {"layers", layers}, {"hash", written.hash()}}));
  } else {
    fmt::print("{}: {} layers\n", options.out, layers);
  }
}

}  // namespace

void add_unpack(CLI::App& app, Context& context) {
  CLI::App* const command = app.add_subcommand("unpack", "Put packs back into their base model");
  const auto options = std::make_shared<UnpackOptions>();
  command->add_option("base", options->base, "The checkpoint they were made on")
      ->required()
      ->type_name("BASE");
  command
      ->add_option(
          "packs", options->packs, "Packs; where several insert at one place, in the order given")
      ->required()
      ->type_name("FILE");
  command->add_option("--out", options->out, "The new folder")->required()->type_name("DIR");
  add_shard_size_option(*command, options->shard_bytes);
  command->add_flag("--force", options->force, "Replace the folder if it exists");
  add_output_options(*command, context);
  command->footer("Example: slayer unpack base law.safetensors code.safetensors --out both");
  command->callback([options, &context] { run_unpack(*options, context); });
}

}  // namespace slayer::cli
