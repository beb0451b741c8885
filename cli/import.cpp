#include <fmt/format.h>
#include <memory>

#include "slayer/checkpoint/gguf_import.h"
#include "slayer/core/error.h"
#include "slayer/core/file.h"

#include "cli/command.h"

namespace slayer::cli {
namespace {

struct ImportOptions {
  std::string gguf;
  std::string out;
  std::string dtype = "bfloat16";
  bool force = false;
};

int64_t total_bytes(const Checkpoint& checkpoint, Dtype dtype) {
  int64_t bytes = 0;
  for (const TensorInfo& tensor : checkpoint.tensors()) {
    bytes += tensor.element_count() * size_in_bytes(dtype);
  }
  return bytes;
}

void run_import(const ImportOptions& options, const Context& context) {
  const Checkpoint source = Checkpoint::open(options.gguf);
  if (!source.is_gguf()) {
    throw Error({.file = options.gguf, .found = "a folder", .expected = "a GGUF file"});
  }
  const Dtype dtype = dtype_from_torch_name(options.dtype);
  const int64_t bytes = total_bytes(source, dtype);
  StagedFolder folder(options.out, options.force);
  Progress progress("import", bytes, "bytes", context.progress_style());
  import_gguf(source, folder.path(), dtype, [&](int64_t written) {
    if (context.stop.stop_requested()) {
      throw Interrupted("nothing was written; run the same command again");
    }
    progress.advance(written);
  });
  folder.commit();
  progress.finish();
  const std::string hash = Checkpoint::open(options.out).hash();
  if (context.json) {
    const Json result = {{"out", options.out},
                         {"architecture", source.config().architecture},
                         {"layers", source.config().num_hidden_layers},
                         {"dtype", options.dtype},
                         {"bytes", bytes},
                         {"hash", hash}};
    fmt::print("{}", json_text(result));
  } else {
    fmt::print("{}: {}, {} layers, {} in {}\n",
               options.out,
               source.config().architecture,
               source.config().num_hidden_layers,
               format_bytes(static_cast<double>(bytes)),
               options.dtype);
  }
}

}  // namespace

void add_import(CLI::App& app, Context& context) {
  CLI::App* const command = app.add_subcommand("import", "Turn a GGUF into a checkpoint folder");
  const auto options = std::make_shared<ImportOptions>();
  command->add_option("gguf", options->gguf, "The GGUF file")->required()->type_name("MODEL.gguf");
  command->add_option("--out", options->out, "The new folder")->required()->type_name("DIR");
  command->add_option("--dtype", options->dtype, "How weights are stored")
      ->check(CLI::IsMember({"bfloat16", "float32", "float16"}))
      ->capture_default_str();
  command->add_flag("--force", options->force, "Replace the folder if it exists");
  add_output_options(*command, context);
  command->footer("Example: slayer import SmolLM2-135M-Instruct.Q4_1.gguf --out base");
  command->callback([options, &context] { run_import(*options, context); });
}

}  // namespace slayer::cli
