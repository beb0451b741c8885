#include "slayer/surgery/apply.h"

#include <fmt/format.h>
#include <memory>
#include <optional>

#include "slayer/checkpoint/checkpoint.h"
#include "slayer/surgery/summary.h"

#include "cli/command.h"

namespace slayer::cli {
namespace {

struct ApplyOptions {
  std::string checkpoint;
  std::string plan;
  std::string out;
  std::string dtype;
  uint64_t shard_bytes = kDefaultShardBytes;
  bool force = false;
};

void print_result(const ApplyOptions& options, const Plan& plan, const Context& context) {
  const Checkpoint written = Checkpoint::open(options.out);
  int64_t bytes = 0;
  for (const TensorInfo& tensor : written.tensors()) {
    bytes += tensor.byte_count();
  }
  if (context.json) {
    fmt::print("{}",
               json_text({{"out", options.out},
                          {"layers", plan.layers.size()},
                          {"sketch", sketch_layers(plan)},
                          {"is_identity", is_identity(plan)},
                          {"bytes", bytes},
                          {"hash", written.hash()}}));
  } else {
    fmt::print("{}: {} layers, {}\n{}\n",
               options.out,
               plan.layers.size(),
               format_bytes(static_cast<double>(bytes)),
               sketch_layers(plan));
  }
}

void run_apply(const ApplyOptions& options, const Context& context) {
  const Checkpoint base = Checkpoint::open(options.checkpoint);
  const Plan plan = read_plan_file(options.plan);
  require_plan_for(base, plan, options.plan);
  const std::optional<Dtype> dtype =
      options.dtype.empty() ? std::nullopt : std::optional(dtype_from_torch_name(options.dtype));
  apply(base,
        plan,
        dtype,
        options.out,
        {.shard_bytes = options.shard_bytes,
         .force = options.force,
         .progress = context.progress_style(),
         .stop = context.stop});
  print_result(options, plan, context);
}

}  // namespace

void add_apply(CLI::App& app, Context& context) {
  CLI::App* const command = app.add_subcommand("apply", "Write the checkpoint a plan describes");
  const auto options = std::make_shared<ApplyOptions>();
  command->add_option("checkpoint", options->checkpoint, "Checkpoint folder or GGUF file")
      ->required()
      ->type_name("CKPT");
  command->add_option("--plan", options->plan, "The plan")->required()->type_name("FILE");
  command->add_option("--out", options->out, "The new folder")->required()->type_name("DIR");
  command
      ->add_option("--dtype",
                   options->dtype,
                   "Store weights so (default: as the base does; bfloat16 from a GGUF)")
      ->check(CLI::IsMember({"bfloat16", "float32", "float16"}));
  add_shard_size_option(*command, options->shard_bytes);
  command->add_flag("--force", options->force, "Replace the folder if it exists");
  add_output_options(*command, context);
  command->footer("Example: slayer apply base --plan plan.json --out expanded");
  command->callback([options, &context] { run_apply(*options, context); });
}

}  // namespace slayer::cli
