#include "slayer/train/options.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <string_view>

#include "slayer/core/error.h"
#include "slayer/data/mixture.h"

namespace slayer {
namespace {

constexpr int64_t kDefaultSequenceTokens = 2048;
constexpr int64_t kMicroBatchTokens = 2048;
constexpr double kWarmupShare = 0.06;
constexpr double kDecayShare = 0.1;
constexpr double kEvalShare = 0.1;
constexpr int64_t kLargestCount = int64_t{1} << 40U;

void require_count(const std::string& option, std::optional<int64_t> value, int64_t low) {
  if (value && (*value < low || *value > kLargestCount)) {
    throw Error({.file = option,
                 .found = fmt::format("{}", *value),
                 .expected = *value < low ? fmt::format("at least {}", low)
                                          : fmt::format("at most {}", kLargestCount)});
  }
}

void require_number(const std::string& option, double value, double low, double high) {
  if (!(value >= low && value <= high)) {
    throw Error({.file = option,
                 .found = fmt::format("{}", value),
                 .expected = fmt::format("a number from {} to {}", low, high)});
  }
}

std::string_view name_of(BosPolicy bos) {
  switch (bos) {
    case BosPolicy::kAlways:
      return "always";
    case BosPolicy::kNever:
      return "never";
    case BosPolicy::kTokenizer:
      break;
  }
  return "tokenizer";
}

bool is_watching(const TrainOptions& options) {
  return !options.eval_domain.empty() || !options.eval_general.empty() || options.holdout > 0.0;
}

/// A setting as a user knows it. The key "format" is taken: it counts the changes of such files.
std::string setting_name(const std::string& key) {
  if (key == "checkpoint" || key == "format") {
    return key;
  }
  return fmt::format("--{}", key == "rows" ? std::string_view("format") : std::string_view(key));
}

Json schedule_settings(const TrainOptions& options, const TrainChoices& choices) {
  Json settings = {{"schedule", name_of(options.schedule)}, {"min-lr", options.min_lr}};
  if (options.schedule == ScheduleShape::kWsd) {
    settings["decay-steps"] = choices.decay_steps;
  }
  if (!options.lr_scales.empty()) {
    settings["lr-scale"] = options.lr_scales;
  }
  return settings;
}

Json watch_settings(const TrainOptions& options,
                    const TrainChoices& choices,
                    const TrainFacts& facts) {
  Json settings = Json::object();
  if (options.holdout > 0.0) {
    settings["holdout"] = options.holdout;
  }
  if (choices.eval_every > 0) {
    settings["eval-every"] = choices.eval_every;
  }
  if (!facts.domain_key.empty()) {
    settings["eval-domain"] = facts.domain_key;
  }
  if (!facts.general_key.empty()) {
    settings["eval-general"] = facts.general_key;
  }
  if (options.stop_if_forgetting) {
    settings["stop-if-forgetting"] = *options.stop_if_forgetting;
  }
  return settings;
}

void validate_watching(const TrainOptions& options) {
  if (options.eval_every && !is_watching(options)) {
    throw Error({.file = "--eval-every",
                 .found = "no text",
                 .expected = "held-out text to watch: --eval-domain, --eval-general or --holdout"});
  }
  if (options.stop_if_forgetting) {
    require_number("--stop-if-forgetting", *options.stop_if_forgetting, 0.0, 1e9);
    if (options.eval_general.empty()) {
      throw Error({.file = "--stop-if-forgetting",
                   .found = "no text",
                   .expected = "text that must not be forgotten: --eval-general"});
    }
  }
}

void validate_frozen(const TrainOptions& options) {
  if (!options.has_int8_frozen) {
    return;
  }
  const auto refuse = [](std::string found, std::string expected) {
    throw Error({.file = "--frozen-weights int8",
                 .found = std::move(found),
                 .expected = std::move(expected)});
  };
  if (options.method.method == Method::kFull) {
    refuse("--method full", "a method that freezes layers");
  }
  if (options.compute && *options.compute != "float32") {
    refuse("--compute " + *options.compute, "--compute float32");
  }
  if (options.device != "cpu") {
    refuse("--device " + options.device, "--device cpu");
  }
}

/// The share of the steps, at least one.
int64_t share_of_steps(double share, int64_t steps) {
  return static_cast<int64_t>(std::ceil(share * static_cast<double>(steps)));
}

int64_t steps_per_epoch(const TrainOptions& options,
                        const TrainChoices& choices,
                        const TrainFacts& facts) {
  const int64_t draws = facts.draws_per_epoch(choices.seq_len, choices.packing);
  return (draws + options.batch_size - 1) / options.batch_size;
}

std::string chosen_compute(const TrainOptions& options, const TrainFacts& facts) {
  return options.has_int8_frozen ? "float32" : facts.quicker_compute();
}

}  // namespace

double default_lr(Method method) {
  return method == Method::kPlan || method == Method::kLora ? 2e-4 : 2e-5;
}

void validate(const TrainOptions& options) {
  require_count("--steps", options.steps, 1);
  require_count("--warmup", options.warmup, 0);
  require_count("--seq-len", options.seq_len, 2);
  require_count("--micro-batch-size", options.micro_batch_size, 1);
  require_count("--threads", options.threads, 1);
  require_count("--batch-size", options.batch_size, 1);
  require_count("--save-every", options.save_every, 0);
  validate(options.method);
  require_count("--decay-steps", options.decay_steps, 0);
  require_count("--eval-every", options.eval_every, 1);
  require_number("--lr", options.lr.value_or(0.0), 0.0, 1.0);
  require_number("--min-lr", options.min_lr, 0.0, options.lr.value_or(1.0));
  require_number("--clip", options.clip, 0.0, 1e9);
  require_number("--weight-decay", options.adamw.weight_decay, 0.0, 1.0);
  require_number("--beta1", options.adamw.beta1, 0.0, 0.999999);
  require_number("--beta2", options.adamw.beta2, 0.0, 0.999999);
  require_number("--holdout", options.holdout, 0.0, 0.9);
  if (options.holdout > 0.0 && options.format != DocumentFormat::kText) {
    throw Error({.file = "--holdout",
                 .found = fmt::format("--format {}", name_of(options.format)),
                 .expected = "--format text"});
  }
  sources_of(parse_weighted_texts(options.data));
  if (options.decay_steps && options.schedule != ScheduleShape::kWsd) {
    throw Error({.file = "--decay-steps",
                 .found = fmt::format("--schedule {}", name_of(options.schedule)),
                 .expected = "--schedule wsd"});
  }
  if (options.compute && options.compute != "float32" && options.compute != "bfloat16") {
    throw Error(
        {.file = "--compute", .found = *options.compute, .expected = "auto, float32 or bfloat16"});
  }
  validate_watching(options);
  validate_frozen(options);
}

TrainChoices resolve(const TrainOptions& options, const TrainFacts& facts) {
  TrainChoices choices;
  choices.seq_len =
      options.seq_len.value_or(std::min(kDefaultSequenceTokens, facts.max_position_embeddings));
  if (choices.seq_len > facts.max_position_embeddings) {
    throw Error({.file = "--seq-len",
                 .found = fmt::format("{}", choices.seq_len),
                 .expected = fmt::format("at most {}, the positions that the model knows",
                                         facts.max_position_embeddings)});
  }
  const Packing usual =
      options.format == DocumentFormat::kText ? Packing::kDocuments : Packing::kWhole;
  choices.packing = options.packing.value_or(usual);
  choices.steps = options.steps ? *options.steps : steps_per_epoch(options, choices, facts);
  choices.warmup = options.warmup.value_or(share_of_steps(kWarmupShare, choices.steps));
  if (options.schedule == ScheduleShape::kWsd) {
    choices.decay_steps = options.decay_steps.value_or(share_of_steps(kDecayShare, choices.steps));
  }
  if (is_watching(options)) {
    choices.eval_every = options.eval_every.value_or(share_of_steps(kEvalShare, choices.steps));
  }
  choices.micro_batch_size = options.micro_batch_size.value_or(
      std::clamp<int64_t>(kMicroBatchTokens / choices.seq_len, 1, options.batch_size));
  choices.threads = options.threads.value_or(facts.cores);
  choices.lr = options.lr.value_or(default_lr(options.method.method));
  require_number("--min-lr", options.min_lr, 0.0, choices.lr);
  choices.compute = options.compute ? *options.compute : chosen_compute(options, facts);
  choices.recompute = options.recompute.value_or(false);
  return choices;
}

Json settings_to_json(const TrainOptions& options,
                      const TrainChoices& choices,
                      const TrainFacts& facts) {
  Json settings = {{"format", 1}, {"checkpoint", facts.checkpoint_hash}};
  settings.update(method_settings(options.method));
  settings.update({{"data", facts.data_key},
                   {"steps", choices.steps},
                   {"warmup", choices.warmup},
                   {"seq-len", choices.seq_len},
                   {"batch-size", options.batch_size},
                   {"micro-batch-size", choices.micro_batch_size},
                   {"threads", choices.threads},
                   {"lr", choices.lr},
                   {"clip", options.clip},
                   {"weight-decay", options.adamw.weight_decay},
                   {"beta1", options.adamw.beta1},
                   {"beta2", options.adamw.beta2},
                   {"seed", options.seed},
                   {"save-every", options.save_every},
                   {"rows", name_of(options.format)},
                   {"packing", name_of(choices.packing)},
                   {"bos", name_of(options.bos)},
                   {"eos", options.add_eos},
                   {"compute", choices.compute},
                   {"device", options.device},
                   {"recompute", choices.recompute}});
  if (options.has_int8_frozen) {
    settings["frozen-weights"] = "int8";
  }
  settings.update(schedule_settings(options, choices));
  settings.update(watch_settings(options, choices, facts));
  return settings;
}

void keep_choices(TrainOptions& options, const Json& stored, const std::string& file) {
  const JsonObject settings(stored, file);
  const auto keep = [&settings](std::optional<int64_t>& value, std::string_view key) {
    if (!value && settings.has(key)) {
      value = settings.integer(key, 0, kLargestCount);
    }
  };
  keep(options.steps, "steps");
  keep(options.warmup, "warmup");
  keep(options.seq_len, "seq-len");
  keep(options.micro_batch_size, "micro-batch-size");
  keep(options.threads, "threads");
  if (options.schedule == ScheduleShape::kWsd) {
    keep(options.decay_steps, "decay-steps");
  }
  if (is_watching(options)) {
    keep(options.eval_every, "eval-every");
  }
  if (!options.recompute && settings.has("recompute")) {
    options.recompute = settings.boolean("recompute");
  }
  if (!options.compute && settings.has("compute")) {
    options.compute = settings.string("compute");
  }
  if (!options.lr && settings.has("lr")) {
    options.lr = settings.number("lr");
  }
  keep_choices(options.method, settings);
}

void require_same_settings(const Json& stored, const Json& now, const std::string& file) {
  Json all = now;  // Options that only the stored training had come last.
  for (const auto& [key, value] : stored.items()) {
    all.emplace(key, nullptr);
  }
  for (const auto& [key, value] : all.items()) {
    const Json before = stored.value(key, Json());
    const bool may_grow = key == "steps";
    if (before == value || (may_grow && before.is_number_integer() && before < value)) {
      continue;
    }
    throw Error({.file = file,
                 .item = setting_name(key),
                 .found = compact_text(value) + " now",
                 .expected = compact_text(before) + (may_grow ? " or more" : "") + ", as it began",
                 .hint = "--force begins anew, another --out keeps both"});
  }
}

}  // namespace slayer
