#include <fmt/format.h>
#include <map>
#include <memory>

#include "slayer/core/log.h"
#include "slayer/train/trainer.h"

#include "cli/command.h"

namespace slayer::cli {
namespace {

constexpr const char* kFooter =
    "Only the layers that the checkpoint's plan marks train (slayer.json, written by slayer "
    "apply);\n"
    "all other weights stay bit for bit. Run the same command again to go on after Ctrl-C or a "
    "kill:\n"
    "the result is the same bits. Only --steps may grow.\n"
    "Defaults: learning rate, cosine, warm-up, decay and clipping from LLaMA Pro (arXiv "
    "2401.02415),\n"
    "betas from Llama 2 (arXiv 2307.09288); their batches of 1,024 x 4,096 tokens and more are cut "
    "to\n"
    "8 x 2,048, what one machine does.\n"
    "Example:\n"
    "  slayer train expanded --data laws/ --out train --steps 200 --seq-len 1024";

void add_data_options(CLI::App& command, TrainOptions& options) {
  command.add_option("CKPT", options.checkpoint, "Checkpoint folder that slayer apply wrote")
      ->required();
  command
      .add_option("--data",
                  options.data,
                  "Text to learn: .txt, .jsonl, each also .gz or .zst, folders, globs")
      ->required();
  command.add_option("--out", options.out, "Folder of the training")->required();
  command.add_option("--text-field", options.text_field, "Key of the text in .jsonl")
      ->capture_default_str();
  command.add_option("--cache-dir", options.cache_dir, "Folder of the tokenised text [OUT/cache]");
  command.add_option_function<std::string>(
      "--packing",
      [&options](const std::string& name) { options.packing = packing_from_name(name); },
      "documents: attention and positions end with each document; stream: they run on "
      "[documents]");
  const std::map<std::string, BosPolicy> policies{{"tokenizer", BosPolicy::kTokenizer},
                                                  {"always", BosPolicy::kAlways},
                                                  {"never", BosPolicy::kNever}};
  command
      .add_option("--bos",
                  options.bos,
                  "BOS before each document: as the tokenizer adds it, always, never [tokenizer]")
      ->transform(CLI::CheckedTransformer(policies))
      ->option_text("tokenizer|always|never");
  command.add_flag("--eos,!--no-eos", options.add_eos, "EOS after each document [on]");
}

void add_optimizer_options(CLI::App& command, TrainOptions& options) {
  command.add_option("--steps", options.steps, "Optimizer steps [one epoch]");
  command.add_option("--batch-size", options.batch_size, "Sequences a step")->capture_default_str();
  command.add_option("--micro-batch-size",
                     options.micro_batch_size,
                     "Sequences that run together [2048 tokens' worth]");
  command.add_option(
      "--seq-len", options.seq_len, "Tokens of a sequence [the model's positions, at most 2048]");
  command.add_option("--lr", options.lr, "Peak learning rate")->capture_default_str();
  command.add_option("--warmup", options.warmup, "Steps of linear warm-up [6 % of the steps]");
  command.add_option("--weight-decay", options.adamw.weight_decay, "AdamW, on matrices only")
      ->capture_default_str();
  command.add_option("--beta1", options.adamw.beta1, "AdamW")->capture_default_str();
  command.add_option("--beta2", options.adamw.beta2, "AdamW")->capture_default_str();
  command.add_option("--clip", options.clip, "Largest gradient norm; 0: no limit")
      ->capture_default_str();
  command.add_option("--seed", options.seed, "Order of the sequences")->capture_default_str();
}

void add_run_options(CLI::App& command, TrainOptions& options) {
  command
      .add_option(
          "--save-every", options.save_every, "Steps between checkpoints; 0: only at the end")
      ->capture_default_str();
  command.add_option("--threads", options.threads, "Threads [the machine's cores]");
  command
      .add_option("--dtype",
                  options.dtype,
                  "Arithmetic: float32 or bfloat16; what trains is always float32")
      ->capture_default_str();
  command.add_option("--device", options.device, "cpu or cuda[:n]")->capture_default_str();
  command.add_flag("--force", options.force, "Throw away the training in OUT and begin anew");
}

void run_train(const TrainOptions& options, bool is_dry_run, const Context& context) {
  const TrainControl control{.progress = context.progress_style(), .stop = context.stop};
  const TrainJob job = prepare(options, control);
  const TrainForecast expected = forecast(job);
  if (is_dry_run) {
    fmt::print("{}\n", context.json ? to_json(job, expected).dump(2) : describe(job, expected));
    return;
  }
  log_info(describe(job, expected));
  const TrainSummary summary = train(job, control);
  if (context.json) {
    fmt::print("{}\n", to_json(summary).dump(2));
  } else {
    fmt::print("{} steps, {} tokens in {}: {}\n",
               summary.steps,
               format_count(static_cast<double>(summary.tokens)),
               format_duration(summary.elapsed_s),
               summary.model.string());
  }
}

}  // namespace

void add_train(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("train", "Post-train the layers that a plan added");
  const auto options = std::make_shared<TrainOptions>();
  const auto is_dry_run = std::make_shared<bool>(false);
  add_data_options(*command, *options);
  add_optimizer_options(*command, *options);
  add_run_options(*command, *options);
  command->add_flag("--dry-run", *is_dry_run, "Print what would happen, and do nothing");
  add_output_options(*command, context);
  command->footer(kFooter);
  command->callback([options, is_dry_run, &context] { run_train(*options, *is_dry_run, context); });
}

}  // namespace slayer::cli
