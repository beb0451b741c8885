#include <fmt/format.h>
#include <map>
#include <memory>
#include <optional>

#include "slayer/core/log.h"
#include "slayer/train/trainer.h"

#include "cli/command.h"

namespace slayer::cli {
namespace {

constexpr const char* kFooter =
    "What trains (--method):\n"
    "  plan    the layers that the checkpoint's plan marks (slayer.json, written by slayer apply)\n"
    "  last-k  the last K layers; layers: those named; full: all weights\n"
    "  lora    adapters, merged into OUT/model; in PEFT's form in OUT/adapter\n"
    "All other weights stay bit for bit. Run the same command again to go on after Ctrl-C or a "
    "kill:\n"
    "the result is the same bits. Only --steps may grow.\n"
    "Defaults: learning rate, cosine, warm-up, decay and clipping from LLaMA Pro (arXiv "
    "2401.02415),\n"
    "betas from Llama 2 (arXiv 2307.09288); their batches of 1,024 x 4,096 tokens and more are cut "
    "to\n"
    "8 x 2,048, what one machine does. LoRA: 2e-4 (QLoRA, arXiv 2305.14314), rank 64, alpha twice "
    "the\n"
    "rank, all linear layers (arXiv 2405.09673). last-k, layers, full: 2e-5 (Llama 2).\n"
    "Example:\n"
    "  slayer train expanded --data laws/ --out train --steps 200 --seq-len 1024";

void add_method_options(CLI::App& command, MethodOptions& options) {
  command
      .add_option_function<std::string>(
          "--method",
          [&options](const std::string& name) { options.method = method_from_name(name); },
          "What trains: plan, last-k, layers, full or lora [plan]")
      ->option_text("plan|last-k|layers|full|lora");
  command.add_option("--last-k", options.last_k, "last-k: how many of the last layers train");
  command.add_option("--layers", options.layers, "layers: those that train, from 0: 3,7")
      ->delimiter(',');
  command.add_option("--lora-rank", options.lora_rank, "lora: rank of the adapters [64]");
  command.add_option(
      "--lora-alpha", options.lora_alpha, "lora: scale of the adapters times the rank [2 x rank]");
  command
      .add_option("--lora-targets",
                  options.lora_targets,
                  "lora: linear layers with an adapter: q_proj,v_proj,... [all-linear]")
      ->delimiter(',');
  command.add_option("--adapter", options.adapter, "lora: PEFT adapter folder to start from");
}

void add_data_options(CLI::App& command, TrainOptions& options) {
  command.add_option("CKPT", options.checkpoint, "Checkpoint folder")->required();
  command
      .add_option(
          "--data",
          options.data,
          "Text to learn: .txt, .jsonl, .json, .csv (each also .gz, .zst), .parquet, folders, "
          "globs; TEXT=WEIGHT each to mix them, as laws/=0.9 wiki.jsonl=0.1")
      ->required();
  command.add_option("--out", options.out, "Folder of the training")->required();
  command
      .add_option_function<std::string>(
          "--format",
          [&options](const std::string& name) { options.format = document_format_from_name(name); },
          "What the rows hold: text, or conversations as messages (OpenAI's), alpaca, sharegpt, "
          "written by the chat template, of which the assistant's turns are learnt [text]")
      ->option_text("text|messages|alpaca|sharegpt");
  command.add_option("--text-field", options.text_field, "Column of the text")
      ->capture_default_str();
  command.add_option("--cache-dir", options.cache_dir, "Folder of the tokenised text [OUT/cache]");
  command.add_option_function<std::string>(
      "--packing",
      [&options](const std::string& name) { options.packing = packing_from_name(name); },
      "documents: attention and positions end with each document; whole: and no document is cut to "
      "fill a sequence; stream: they run on [documents; whole for conversations]");
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
  command.add_option("--lr", options.lr, "Peak learning rate [2e-4; last-k, layers, full: 2e-5]");
  command.add_option("--warmup", options.warmup, "Steps of linear warm-up [6 % of the steps]");
  command
      .add_option_function<std::string>(
          "--schedule",
          [&options](const std::string& name) {
            options.schedule = schedule_shape_from_name(name);
          },
          "After the warm-up: cosine, linear, constant, or wsd (stable, then decay) [cosine]")
      ->option_text("cosine|linear|constant|wsd");
  command.add_option("--min-lr", options.min_lr, "Learning rate at the end")->capture_default_str();
  command.add_option(
      "--decay-steps", options.decay_steps, "wsd: steps of the decay [10 % of the steps]");
  command
      .add_option_function<std::vector<std::string>>(
          "--lr-scale",
          [&options](const std::vector<std::string>& scales) {
            for (const std::string& scale : scales) {
              options.lr_scales.insert(parse_lr_scale(scale));
            }
          },
          "Factors on the learning rate of groups: new, old (layers), embeddings, lora-a, lora-b")
      ->option_text("GROUP=FACTOR ...");
  command.add_option("--weight-decay", options.adamw.weight_decay, "AdamW, on matrices only")
      ->capture_default_str();
  command.add_option("--beta1", options.adamw.beta1, "AdamW")->capture_default_str();
  command.add_option("--beta2", options.adamw.beta2, "AdamW")->capture_default_str();
  command.add_option("--clip", options.clip, "Largest gradient norm; 0: no limit")
      ->capture_default_str();
  command.add_option("--seed", options.seed, "Order of the sequences")->capture_default_str();
}

void add_watch_options(CLI::App& command, TrainOptions& options) {
  command
      .add_option("--holdout",
                  options.holdout,
                  "Share of the (first) text's documents to hold out and watch")
      ->capture_default_str();
  command.add_option(
      "--eval-domain", options.eval_domain, "Held-out domain text whose perplexity is watched");
  command.add_option(
      "--eval-general", options.eval_general, "General text whose perplexity is watched");
  command.add_option(
      "--eval-every", options.eval_every, "Steps between looks at them [a tenth of the steps]");
  command.add_option("--stop-if-forgetting",
                     options.stop_if_forgetting,
                     "Stop when general perplexity has grown by this share, 0.05 say, and keep the "
                     "best checkpoint");
}

void add_recompute_option(CLI::App& command, TrainOptions& options) {
  const std::map<std::string, std::optional<bool>> choices{
      {"auto", std::nullopt}, {"on", true}, {"off", false}};
  command
      .add_option_function<std::string>(
          "--recompute",
          [&options, choices](const std::string& choice) {
            options.recompute = choices.at(choice);
          },
          "Run layers again in the backward pass instead of keeping what they computed: auto "
          "where memory would not do [auto]")
      ->check(CLI::IsMember({"auto", "on", "off"}))
      ->option_text("auto|on|off");
}

void add_frozen_option(CLI::App& command, TrainOptions& options) {
  command
      .add_option_function<std::string>(
          "--frozen-weights",
          [&options](const std::string& type) { options.has_int8_frozen = type == "int8"; },
          "Arithmetic of the layers that do not train: as --compute says, or int8, forward and "
          "backward, the faster one with AVX-512 VNNI; OUT/model keeps their weights as they are "
          "[compute]")
      ->check(CLI::IsMember({"compute", "int8"}))
      ->option_text("compute|int8");
}

void add_run_options(CLI::App& command, TrainOptions& options) {
  command
      .add_option(
          "--save-every", options.save_every, "Steps between checkpoints; 0: only at the end")
      ->capture_default_str();
  command.add_option("--threads", options.threads, "Threads [the machine's cores]");
  command
      .add_option_function<std::string>(
          "--compute",
          [&options](const std::string& name) {
            options.compute = name == "auto" ? std::nullopt : std::optional(name);
          },
          "Arithmetic: float32, bfloat16, or auto: bfloat16 for a model stored so where this "
          "machine is far quicker in it; weights that train are always float32 [auto]")
      ->check(CLI::IsMember({"auto", "float32", "bfloat16"}))
      ->option_text("auto|float32|bfloat16");
  command.add_option("--device", options.device, "cpu or cuda[:n]")->capture_default_str();
  command.add_flag("--force", options.force, "Throw away the training in OUT and begin anew");
}

void run_train(const TrainOptions& options, bool is_dry_run, const Context& context) {
  const TrainControl control{.progress = context.progress_style(), .stop = context.stop};
  const TrainJob job = prepare(options, control);
  const TrainForecast expected = forecast(job);
  if (is_dry_run) {
    fmt::print("{}",
               context.json ? json_text(to_json(job, expected)) : describe(job, expected) + "\n");
    return;
  }
  log_info(describe(job, expected));
  const TrainSummary summary = train(job, control);
  if (context.json) {
    fmt::print("{}", json_text(to_json(summary)));
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
  CLI::App* command =
      app.add_subcommand("train", "Train a plan's layers, other layers, all weights or adapters");
  const auto options = std::make_shared<TrainOptions>();
  const auto is_dry_run = std::make_shared<bool>(false);
  add_data_options(*command, *options);
  add_method_options(*command, options->method);
  add_optimizer_options(*command, *options);
  add_watch_options(*command, *options);
  add_recompute_option(*command, *options);
  add_frozen_option(*command, *options);
  add_run_options(*command, *options);
  command->add_flag("--dry-run", *is_dry_run, "Print what would happen, and do nothing");
  add_output_options(*command, context);
  command->footer(kFooter);
  command->callback([options, is_dry_run, &context] { run_train(*options, *is_dry_run, context); });
}

}  // namespace slayer::cli
