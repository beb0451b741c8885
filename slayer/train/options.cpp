#include "slayer/train/options.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <string_view>

#include "slayer/core/error.h"

namespace slayer {
namespace {

constexpr int64_t kDefaultSequenceTokens = 2048;
constexpr int64_t kMicroBatchTokens = 2048;
constexpr double kWarmupShare = 0.06;
constexpr int64_t kLargestCount = int64_t{1} << 40U;

void require_count(const std::string& option, std::optional<int64_t> value, int64_t low) {
  if (value && (*value < low || *value > kLargestCount)) {
    throw Error({.file = option,
                 .found = fmt::format("{}", *value),
                 .expected = fmt::format("at least {}", low)});
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

/// Sequences of `seq_len` tokens that the corpus fills, the last one perhaps in part.
int64_t sequences_of(int64_t corpus_tokens, int64_t seq_len) {
  return (corpus_tokens + seq_len - 1) / seq_len;
}

}  // namespace

void validate(const TrainOptions& options) {
  require_count("--steps", options.steps, 1);
  require_count("--warmup", options.warmup, 0);
  require_count("--seq-len", options.seq_len, 2);
  require_count("--micro-batch-size", options.micro_batch_size, 1);
  require_count("--threads", options.threads, 1);
  require_count("--batch-size", options.batch_size, 1);
  require_count("--save-every", options.save_every, 0);
  require_number("--lr", options.lr, 0.0, 1.0);
  require_number("--clip", options.clip, 0.0, 1e9);
  require_number("--weight-decay", options.adamw.weight_decay, 0.0, 1.0);
  require_number("--beta1", options.adamw.beta1, 0.0, 0.999999);
  require_number("--beta2", options.adamw.beta2, 0.0, 0.999999);
}

TrainOptions resolve(TrainOptions options, const TrainFacts& facts) {
  const int64_t seq_len =
      options.seq_len.value_or(std::min(kDefaultSequenceTokens, facts.max_position_embeddings));
  if (seq_len > facts.max_position_embeddings) {
    throw Error({.file = "--seq-len",
                 .found = fmt::format("{}", seq_len),
                 .expected = fmt::format("at most {}, the positions that the model knows",
                                         facts.max_position_embeddings)});
  }
  options.seq_len = seq_len;
  const int64_t an_epoch =
      (sequences_of(facts.corpus_tokens, seq_len) + options.batch_size - 1) / options.batch_size;
  options.steps = options.steps.value_or(an_epoch);
  options.warmup = options.warmup.value_or(
      static_cast<int64_t>(std::ceil(kWarmupShare * static_cast<double>(*options.steps))));
  options.micro_batch_size = options.micro_batch_size.value_or(
      std::clamp<int64_t>(kMicroBatchTokens / seq_len, 1, options.batch_size));
  options.threads = options.threads.value_or(facts.cores);
  return options;
}

Json settings_to_json(const TrainOptions& resolved, const TrainFacts& facts) {
  return {{"format", 1},
          {"checkpoint", facts.checkpoint_hash},
          {"data", facts.data_key},
          {"steps", *resolved.steps},
          {"warmup", *resolved.warmup},
          {"seq-len", *resolved.seq_len},
          {"batch-size", resolved.batch_size},
          {"micro-batch-size", *resolved.micro_batch_size},
          {"threads", *resolved.threads},
          {"lr", resolved.lr},
          {"clip", resolved.clip},
          {"weight-decay", resolved.adamw.weight_decay},
          {"beta1", resolved.adamw.beta1},
          {"beta2", resolved.adamw.beta2},
          {"seed", resolved.seed},
          {"save-every", resolved.save_every},
          {"packing", name_of(resolved.packing)},
          {"bos", name_of(resolved.bos)},
          {"eos", resolved.add_eos},
          {"dtype", resolved.dtype},
          {"device", resolved.device}};
}

void keep_choices(TrainOptions& options, const Json& stored, const std::string& file) {
  const JsonObject settings(stored, file);
  const auto keep = [&settings](std::optional<int64_t>& value, std::string_view key) {
    if (!value) {
      value = settings.integer(key, 0, kLargestCount);
    }
  };
  keep(options.steps, "steps");
  keep(options.warmup, "warmup");
  keep(options.seq_len, "seq-len");
  keep(options.micro_batch_size, "micro-batch-size");
  keep(options.threads, "threads");
}

void require_same_settings(const Json& stored, const Json& now, const std::string& file) {
  const JsonObject settings(stored, file);
  for (const auto& [key, value] : now.items()) {
    const Json& before = stored.contains(key) ? stored.at(key) : Json();
    const bool may_grow = key == "steps";
    if (before == value || (may_grow && before.is_number_integer() && before < value)) {
      continue;
    }
    const bool is_option = key != "checkpoint" && key != "format";
    throw Error({.file = file,
                 .item = (is_option ? "--" : "") + key,
                 .found = value.dump() + " now",
                 .expected = before.dump() + (may_grow ? " or more" : "") + ", as it began",
                 .hint = "--force begins anew, another --out keeps both"});
  }
}

}  // namespace slayer
