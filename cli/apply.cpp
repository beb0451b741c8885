#include "slayer/surgery/apply.h"

#include <algorithm>
#include <fmt/format.h>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "slayer/checkpoint/checkpoint.h"
#include "slayer/core/error.h"
#include "slayer/core/file.h"
#include "slayer/core/log.h"
#include "slayer/core/utf8.h"
#include "slayer/model/device.h"
#include "slayer/model/verify.h"
#include "slayer/surgery/summary.h"
#include "slayer/tokenizer/tokenizer.h"

#include "cli/command.h"

namespace slayer::cli {
namespace {

struct ApplyOptions {
  std::string checkpoint;
  std::string plan;
  std::string out;
  std::string dtype;
  uint64_t shard_bytes = kDefaultShardBytes;
  bool verify = false;
  std::vector<std::string> text;
  std::string device = "cpu";
  bool force = false;
};

/// Enough tokens for a loss that means something, few enough to wait for.
constexpr size_t kVerifiedSequences = 8;
constexpr size_t kVerifiedLength = 512;

/// The beginnings of the texts, a sequence each in turn until there are enough.
std::vector<std::vector<TokenId>> sequences_of(const std::vector<std::string>& files,
                                               const Checkpoint& base) {
  const Tokenizer tokenizer = Tokenizer::from_side_files(base.side_files(), base.path().string());
  const size_t share = (kVerifiedSequences + files.size() - 1) / files.size();
  std::vector<std::vector<TokenId>> sequences;
  for (const std::string& file : files) {
    const std::string text = read_text_file(file);
    if (!is_utf8(text)) {
      throw Error({.file = file, .found = "bytes that are not UTF-8", .expected = "a text"});
    }
    const std::vector<TokenId> ids = tokenizer.encode(text, /*add_special_tokens=*/true);
    for (size_t begin = 0; begin < std::min(ids.size(), share * kVerifiedLength);
         begin += kVerifiedLength) {
      const std::span<const TokenId> rest = std::span(ids).subspan(begin);
      const auto sequence = rest.first(std::min(rest.size(), kVerifiedLength));
      sequences.emplace_back(sequence.begin(), sequence.end());
    }
  }
  return sequences;
}

/// Runs both models in the dtype the weights are stored in, which takes no memory for them.
VerifyReport verify(const ApplyOptions& options, const Checkpoint& base, const Plan& plan) {
  const Checkpoint written = Checkpoint::open(options.out);
  const Dtype dtype = written.config().dtype.value_or(Dtype::kF32);
  VerifyReport report = verify_surgery(base,
                                       written,
                                       plan,
                                       sequences_of(options.text, base),
                                       scalar_type_from_name(std::string(torch_name(dtype))),
                                       device_from_name(options.device));
  if (report.is_broken()) {
    throw Error({.file = options.out,
                 .found = report.summary(),
                 .expected = "logits equal to the base's, bit for bit"});
  }
  if (report.is_costly()) {
    log_warning(
        fmt::format("this plan costs {:.2f} nats per token before training: consider "
                    "other layers to delete",
                    report.cost()));
  }
  return report;
}

Json report_json(const VerifyReport& report) {
  return {{"must_be_identical", report.must_be_identical},
          {"is_identical", report.is_identical},
          {"largest_difference", report.largest_difference},
          {"tokens", report.tokens},
          {"base_loss", report.base_loss},
          {"new_loss", report.new_loss}};
}

void print_result(const ApplyOptions& options,
                  const Plan& plan,
                  const std::optional<VerifyReport>& report,
                  const Context& context) {
  const Checkpoint written = Checkpoint::open(options.out);
  int64_t bytes = 0;
  for (const TensorInfo& tensor : written.tensors()) {
    bytes += tensor.byte_count();
  }
  if (context.json) {
    Json result = {{"out", options.out},
                   {"layers", plan.layers.size()},
                   {"sketch", sketch_layers(plan)},
                   {"is_identity", is_identity(plan)},
                   {"bytes", bytes},
                   {"hash", written.hash()}};
    if (report) {
      result["verify"] = report_json(*report);
    }
    fmt::print("{}", json_text(result));
  } else {
    fmt::print("{}: {} layers, {}\n{}\n",
               options.out,
               plan.layers.size(),
               format_bytes(static_cast<double>(bytes)),
               sketch_layers(plan));
    if (report) {
      fmt::print("{}\n", report->summary());
    }
  }
}

void run_apply(const ApplyOptions& options, const Context& context) {
  if (options.verify == options.text.empty()) {
    throw_usage("--verify and --text FILE... go together");
  }
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
  print_result(options,
               plan,
               options.verify ? std::optional(verify(options, base, plan)) : std::nullopt,
               context);
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
  command->add_flag("--verify", options->verify, "Run both models on text and compare them");
  command->add_option("--text", options->text, "Texts for --verify; the first 4096 tokens are run")
      ->type_name("FILE");
  command->add_option("--device", options->device, "Where --verify runs: cpu, cuda or cuda:N")
      ->capture_default_str();
  command->add_flag("--force", options->force, "Replace the folder if it exists");
  add_output_options(*command, context);
  command->footer("Example: slayer apply base --plan plan.json --out expanded");
  command->callback([options, &context] { run_apply(*options, context); });
}

}  // namespace slayer::cli
