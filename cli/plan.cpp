#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <memory>
#include <optional>
#include <vector>

#include "slayer/checkpoint/checkpoint.h"
#include "slayer/checkpoint/family.h"
#include "slayer/core/error.h"
#include "slayer/core/file.h"
#include "slayer/core/log.h"
#include "slayer/probe/auto_plan.h"
#include "slayer/surgery/apply.h"
#include "slayer/surgery/strategies.h"
#include "slayer/surgery/summary.h"
#include "slayer/surgery/training_memory.h"

#include "cli/command.h"

namespace slayer::cli {
namespace {

struct PlanOptions {
  std::string checkpoint;
  std::string strategy = "slayer";
  std::string plan;
  int64_t every = 2;
  double shallow = 0.5;
  std::optional<int64_t> new_layers;
  std::string ranges;
  int64_t prune = 0;
  std::vector<int64_t> prune_layers;
  std::string prune_mode = "drop";
  std::string probe;
  std::optional<double> budget;
  std::string out;
  bool force = false;
  int64_t batch_size = 4;
  int64_t seq_len = 512;
};

/// Where the option is given to a strategy that knows nothing of it, the user meant another.
struct OptionOfStrategies {
  const char* option;
  std::vector<std::string_view> strategies;
};

void refuse_stray_options(const CLI::App& command, const PlanOptions& options) {
  const std::vector<OptionOfStrategies> owners{
      {"--every", {"slayer"}},
      {"--shallow", {"slayer"}},
      {"--new", {"llama-pro", "solar", "auto"}},
      {"--ranges", {"passthrough"}},
      {"--prune", {"slayer", "prune", "auto"}},
      {"--prune-layers", {"slayer", "prune"}},
      {"--prune-mode", {"slayer", "prune", "auto"}},
      {"--probe", {"auto"}},
      {"--budget", {"auto"}},
  };
  for (const auto& [option, strategies] : owners) {
    if (command.count(option) > 0 &&
        std::ranges::find(strategies, options.strategy) == strategies.end()) {
      throw_usage(fmt::format("{} is for strategy {}, not {}",
                              option,
                              fmt::join(strategies, " or "),
                              options.strategy));
    }
  }
}

Plan make_plan(const PlanOptions& options, int64_t layers) {
  const Prune prune{.layers = options.prune_layers.empty() ? last_layers(layers, options.prune)
                                                           : options.prune_layers,
                    .mode = prune_mode_from_name(options.prune_mode)};
  if (options.strategy == "llama-pro") {
    if (!options.new_layers) {
      throw_usage("--strategy llama-pro needs --new N, the number of new layers");
    }
    return llama_pro_plan(layers, *options.new_layers);
  }
  if (options.strategy == "solar") {
    return solar_plan(layers, options.new_layers.value_or(layers / 2));
  }
  if (options.strategy == "prune") {
    return prune_plan(layers, prune);
  }
  if (options.strategy == "passthrough") {
    if (options.ranges.empty()) {
      throw_usage("--strategy passthrough needs --ranges, such as 0:24,8:32");
    }
    return passthrough_plan(layers, options.ranges);
  }
  return slayer_plan(layers, options.every, options.shallow, prune);
}

/// The plan that a probe speaks for, with the options that were given.
AutoPlan make_auto_plan(const CLI::App& command,
                        const PlanOptions& options,
                        const ModelConfig& config,
                        const std::string& hash) {
  if (options.probe.empty()) {
    throw_usage("--strategy auto needs --probe FILE, which slayer probe writes");
  }
  if (!options.new_layers && !options.budget && command.count("--prune") == 0) {
    throw_usage("--strategy auto needs --budget, as 1.18, or --new and --prune");
  }
  AutoPlanOptions wanted{.new_layers = options.new_layers, .budget = options.budget};
  if (command.count("--prune") > 0) {
    wanted.prune = options.prune;
  }
  if (command.count("--prune-mode") > 0) {
    wanted.mode = prune_mode_from_name(options.prune_mode);
  }
  return auto_plan(read_json_file(options.probe), options.probe, config, hash, wanted);
}

/// Why an auto plan is as it is.
Json reasons_json(const AutoPlan& made) {
  return {{"reasons", made.reasons},
          {"prune_cost", made.prune_cost},
          {"is_measured", made.is_measured}};
}

Json result_json(const PlanOptions& options,
                 const Plan& plan,
                 const PlanSummary& summary,
                 const TrainingMemory& memory) {
  return {{"out", options.out},
          {"sketch", sketch_layers(plan)},
          {"layers", summary.layers},
          {"new_layers", summary.new_layers},
          {"trained_layers", summary.trained_layers},
          {"is_identity", is_identity(plan)},
          {"parameters", summary.parameters},
          {"trained_parameters", summary.trained_parameters},
          {"bytes_on_disk", summary.bytes_on_disk},
          {"training_memory",
           {{"batch_size", options.batch_size},
            {"seq_len", options.seq_len},
            {"weights", memory.weights},
            {"gradients", memory.gradients},
            {"optimizer", memory.optimizer},
            {"activations", memory.activations},
            {"program", memory.program},
            {"total", memory.total()}}},
          {"plan", plan_to_json(plan)}};
}

std::string bytes_text(int64_t bytes) { return format_bytes(static_cast<double>(bytes)); }

std::string count_text(int64_t count) { return format_count(static_cast<double>(count)); }

void print_picture(const PlanOptions& options,
                   const Plan& plan,
                   const ModelConfig& config,
                   const PlanSummary& summary,
                   const TrainingMemory& memory,
                   Dtype dtype) {
  fmt::print("strategy {}: {} layers become {}, {} of them new, {} to train\n\n{}\n\n{}\n",
             plan.strategy,
             plan.source_layers,
             summary.layers,
             summary.new_layers,
             summary.trained_layers,
             sketch_layers(plan),
             tabulate_layers(plan));
  fmt::print("start       {}\n",
             is_identity(plan) ? "computes what the base computes, bit for bit"
                               : "computes something else than the base: measure what it costs "
                                 "(slayer apply --verify)");
  fmt::print("parameters  {} (the base has {})\n",
             count_text(summary.parameters),
             count_text(parameter_count(config)));
  fmt::print("trained     {} ({:.1f} %)\n",
             count_text(summary.trained_parameters),
             100.0 * static_cast<double>(summary.trained_parameters) /
                 static_cast<double>(summary.parameters));
  fmt::print("on disk     {} as {}\n", bytes_text(summary.bytes_on_disk), torch_name(dtype));
  fmt::print(
      "to train    about {} in {} with {} x {} tokens: weights {}, gradients {}, AdamW {}, "
      "activations {}, program {}\n",
      bytes_text(memory.total()),
      torch_name(dtype),
      options.batch_size,
      options.seq_len,
      bytes_text(memory.weights),
      bytes_text(memory.gradients),
      bytes_text(memory.optimizer),
      bytes_text(memory.activations),
      bytes_text(memory.program));
}

void run_plan(const CLI::App& command, const PlanOptions& options, const Context& context) {
  if (options.plan.empty()) {
    refuse_stray_options(command, options);
  }
  const Checkpoint checkpoint = Checkpoint::open(options.checkpoint);
  const ModelConfig& config = checkpoint.config();
  Plan plan;
  std::optional<AutoPlan> made;
  if (options.plan.empty() && options.strategy == "auto") {
    made = make_auto_plan(command, options, config, checkpoint.hash());
    plan = made->plan;
  } else if (options.plan.empty()) {
    plan = make_plan(options, config.num_hidden_layers);
    plan.source_hash = checkpoint.hash();
  } else {
    plan = read_plan_file(options.plan);
    require_plan_for(checkpoint, plan, options.plan);
  }
  const Dtype dtype = checkpoint.is_gguf() ? Dtype::kBF16 : config.dtype.value_or(Dtype::kF32);
  const PlanSummary summary = summarize(plan, config, dtype);
  const TrainingMemory memory =
      training_memory(plan, config, dtype, options.batch_size, options.seq_len);
  if (!options.out.empty()) {
    require_new_path(options.out, options.force);
    write_text_file(options.out, plan_file_text(plan));
  }
  if (context.json) {
    Json result = result_json(options, plan, summary, memory);
    if (made) {
      result["auto"] = reasons_json(*made);
    }
    fmt::print("{}", json_text(result));
  } else {
    for (const std::string& reason : made ? made->reasons : std::vector<std::string>()) {
      fmt::print("{}\n", reason);
    }
    print_picture(options, plan, config, summary, memory, dtype);
  }
}

}  // namespace

void add_plan(CLI::App& app, Context& context) {
  CLI::App* const command = app.add_subcommand("plan", "Make and show a new model's layers");
  const auto options = std::make_shared<PlanOptions>();
  command->add_option("checkpoint", options->checkpoint, "Checkpoint folder or GGUF file")
      ->required()
      ->type_name("CKPT");
  CLI::Option* const strategy =
      command->add_option("--strategy", options->strategy, "The rule that makes the plan")
          ->check(CLI::IsMember({"slayer", "llama-pro", "solar", "prune", "passthrough", "auto"}))
          ->capture_default_str();
  command->add_option("--plan", options->plan, "Show this plan instead, also one made by hand")
      ->excludes(strategy)
      ->type_name("FILE");
  command->add_option("--every", options->every, "slayer: a new layer after every N-th")
      ->capture_default_str();
  command->add_option("--shallow", options->shallow, "slayer: in this first share of the layers")
      ->capture_default_str();
  CLI::Option* const last =
      command
          ->add_option(
              "--prune", options->prune, "slayer, prune: delete the last N layers; auto: N layers")
          ->capture_default_str();
  command
      ->add_option("--prune-layers", options->prune_layers, "slayer, prune: delete these, as 11,25")
      ->delimiter(',')
      ->excludes(last);
  command
      ->add_option(
          "--prune-mode",
          options->prune_mode,
          "slayer, prune, auto: leave the deleted out, or let the layer before absorb them")
      ->check(CLI::IsMember({"drop", "collapse"}))
      ->capture_default_str();
  command->add_option("--new",
                      options->new_layers,
                      "llama-pro, solar, auto: number of layers added (solar: half, unless said)");
  command->add_option("--probe", options->probe, "auto: what slayer probe measured")
      ->type_name("FILE");
  command->add_option("--budget", options->budget, "auto: parameters, the base's being 1")
      ->check(CLI::Range(0.01, 100.0));
  command->add_option("--ranges", options->ranges, "passthrough: half-open, as 0:24,8:32");
  command->add_option("--batch-size", options->batch_size, "For the memory estimate")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  command->add_option("--seq-len", options->seq_len, "For the memory estimate")
      ->check(CLI::Range(1, 100'000'000))
      ->capture_default_str();
  command->add_option("--out", options->out, "Write the plan here")->type_name("FILE");
  command->add_flag("--force", options->force, "Replace the file if it exists");
  add_output_options(*command, context);
  command->footer(
      "Examples:\n"
      "  slayer plan base --every 2 --shallow 0.5 --out plan.json\n"
      "  slayer plan base --strategy auto --probe probe.json --budget 1.18 --out plan.json");
  command->callback([command, options, &context] { run_plan(*command, *options, context); });
}

}  // namespace slayer::cli
