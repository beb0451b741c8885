#include <fmt/format.h>
#include <map>
#include <memory>

#include "slayer/checkpoint/gguf_export.h"
#include "slayer/core/error.h"
#include "slayer/core/file.h"

#include "cli/command.h"

namespace slayer::cli {
namespace {

struct ExportOptions {
  std::string checkpoint;
  std::string gguf;
  std::string type;
  bool force = false;
};

const std::map<std::string, GgmlType> kTypes{
    {"f32", GgmlType::kF32},
    {"f16", GgmlType::kF16},
    {"bf16", GgmlType::kBF16},
    {"q8_0", GgmlType::kQ8_0},
};

void run_export(const ExportOptions& options, const Context& context) {
  const GgmlType type = kTypes.at(options.type);
  const Checkpoint checkpoint = Checkpoint::open(options.checkpoint);
  StagedFile file(options.gguf, options.force);
  OutputFile output(file.path());
  const int64_t bytes = exported_bytes(checkpoint, type);
  Progress progress("export", bytes, "bytes", context.progress_style());
  export_gguf(checkpoint, output, type, [&](int64_t written) {
    if (context.stop.stop_requested()) {
      throw Interrupted("nothing was written; run the same command again");
    }
    progress.advance(written);
  });
  output.close();
  file.commit();
  progress.finish();
  const auto size = output.size();
  if (context.json) {
    const Json result = {{"gguf", options.gguf},
                         {"architecture", checkpoint.config().architecture},
                         {"layers", checkpoint.config().num_hidden_layers},
                         {"type", options.type},
                         {"bytes", size}};
    fmt::print("{}", json_text(result));
  } else {
    fmt::print("{}: {}, {} layers, {} in {}\n",
               options.gguf,
               checkpoint.config().architecture,
               checkpoint.config().num_hidden_layers,
               format_bytes(static_cast<double>(size)),
               options.type);
  }
}

}  // namespace

void add_export(CLI::App& app, Context& context) {
  CLI::App* const command = app.add_subcommand("export", "Write a checkpoint as a GGUF");
  const auto options = std::make_shared<ExportOptions>();
  command->add_option("checkpoint", options->checkpoint, "A checkpoint folder or GGUF file")
      ->required()
      ->type_name("CKPT");
  command->add_option("--gguf", options->gguf, "The new file")->required()->type_name("FILE");
  command->add_option("--type", options->type, "How matrices are stored")
      ->required()
      ->check(CLI::IsMember({"f32", "f16", "bf16", "q8_0"}));
  command->add_flag("--force", options->force, "Replace the file if it exists");
  add_output_options(*command, context);
  command->footer("Example: slayer export expanded --gguf expanded.gguf --type q8_0");
  command->callback([options, &context] { run_export(*options, context); });
}

}  // namespace slayer::cli
