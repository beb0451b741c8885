#include "slayer/train/method.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <numeric>
#include <utility>

#include "slayer/core/error.h"
#include "slayer/train/peft_adapter.h"

namespace slayer {
namespace {

constexpr int64_t kDefaultRank = 64;
constexpr double kDefaultAlphaPerRank = 2.0;
constexpr int64_t kLargestRank = 1 << 16;
constexpr std::string_view kAllLinear = "all-linear";

constexpr std::array<std::pair<Method, std::string_view>, 5> kNames{{{Method::kPlan, "plan"},
                                                                     {Method::kLastK, "last-k"},
                                                                     {Method::kLayers, "layers"},
                                                                     {Method::kFull, "full"},
                                                                     {Method::kLora, "lora"}}};

[[noreturn]] void fail(const std::string& option, std::string found, std::string expected) {
  throw Error({.file = option, .found = std::move(found), .expected = std::move(expected)});
}

/// An option that only one method reads.
void require_method(const MethodOptions& options,
                    const std::string& option,
                    bool is_given,
                    Method method) {
  if (is_given && options.method != method) {
    fail(option,
         fmt::format("--method {}", name_of(options.method)),
         fmt::format("--method {}", name_of(method)));
  }
}

void validate_lora(const MethodOptions& options) {
  if (options.lora_rank && (*options.lora_rank < 1 || *options.lora_rank > kLargestRank)) {
    fail("--lora-rank",
         fmt::format("{}", *options.lora_rank),
         fmt::format("from 1 to {}", kLargestRank));
  }
  if (options.lora_alpha && !(*options.lora_alpha > 0.0 && *options.lora_alpha < 1e6)) {
    fail("--lora-alpha", fmt::format("{}", *options.lora_alpha), "a number above 0");
  }
  for (const std::string& target : options.lora_targets) {
    if (target != kAllLinear && !find_linear_role(target)) {
      fail("--lora-targets",
           fmt::format("\"{}\"", printable(target)),
           fmt::format("{}, or {}", fmt::join(linear_names(), ", "), kAllLinear));
    }
  }
}

/// Takes an adapter's value; a given one must be the same.
template <class Value>
void take_over(std::optional<Value>& value, const Value& of_adapter, const std::string& option) {
  if (value && *value != of_adapter) {
    fail(option,
         fmt::format("{}", *value),
         fmt::format("{}, as in the adapter, or nothing", of_adapter));
  }
  value = of_adapter;
}

/// In the order of the model, each once.
std::vector<std::string> sorted_targets(const std::vector<std::string>& targets) {
  std::vector<std::string> sorted;
  const bool has_all = targets.empty() || std::ranges::count(targets, kAllLinear) > 0;
  for (const std::string_view name : linear_names()) {
    if (has_all || std::ranges::count(targets, name) > 0) {
      sorted.emplace_back(name);
    }
  }
  return sorted;
}

std::vector<int64_t> marked_layers(const Plan& plan) {
  std::vector<int64_t> marked;
  for (int64_t layer = 0; layer < std::ssize(plan.layers); ++layer) {
    if (plan.layers[static_cast<size_t>(layer)].train) {
      marked.push_back(layer);
    }
  }
  return marked;
}

std::vector<int64_t> planned_layers(const Checkpoint& checkpoint,
                                    const std::optional<SurgeryRecord>& record) {
  const std::string file = (checkpoint.path() / kRecordFile).string();
  if (!record) {
    throw Error({.file = file,
                 .found = "nothing",
                 .expected = "the plan that says which layers train",
                 .hint = "make such a checkpoint with slayer plan and slayer apply, or choose "
                         "another --method"});
  }
  const auto layers = static_cast<int64_t>(record->plan.layers.size());
  if (layers != checkpoint.config().num_hidden_layers) {
    throw Error({.file = file,
                 .item = "plan",
                 .found = std::to_string(layers) + " layers",
                 .expected = std::to_string(checkpoint.config().num_hidden_layers) +
                             ", as in config.json"});
  }
  std::vector<int64_t> trained = marked_layers(record->plan);
  if (trained.empty()) {
    throw Error({.file = file,
                 .item = "plan",
                 .found = "no layer that trains",
                 .expected = "\"train\": true for at least one"});
  }
  return trained;
}

std::vector<int64_t> last_layers_of(int64_t depth, int64_t count) {
  if (count > depth) {
    fail("--last-k", fmt::format("{}", count), fmt::format("at most the model's {} layers", depth));
  }
  std::vector<int64_t> layers(static_cast<size_t>(count));
  std::iota(layers.begin(), layers.end(), depth - count);
  return layers;
}

std::vector<int64_t> named_layers(int64_t depth, std::vector<int64_t> layers) {
  std::ranges::sort(layers);
  const auto twice = std::ranges::adjacent_find(layers);
  if (twice != layers.end()) {
    fail("--layers", fmt::format("{} twice", *twice), "each layer once");
  }
  for (const int64_t layer : layers) {
    if (layer < 0 || layer >= depth) {
      fail("--layers", fmt::format("{}", layer), fmt::format("layers from 0 to {}", depth - 1));
    }
  }
  return layers;
}

/// Of every method but kPlan, in a model of that depth.
TrainableSet chosen_set(const MethodOptions& resolved, int64_t depth) {
  switch (resolved.method) {
    case Method::kLastK:
      return {.layers = last_layers_of(depth, *resolved.last_k)};
    case Method::kLayers:
      return {.layers = named_layers(depth, resolved.layers)};
    case Method::kLora:
      return {.layers = last_layers_of(depth, depth),
              .lora = LoraOptions{.rank = *resolved.lora_rank,
                                  .alpha = *resolved.lora_alpha,
                                  .targets = resolved.lora_targets}};
    case Method::kPlan:
    case Method::kFull:
      break;
  }
  return {.layers = last_layers_of(depth, depth), .has_all = true};
}

}  // namespace

Method method_from_name(std::string_view name) {
  const auto* const found = std::ranges::find(kNames, name, [](const auto& n) { return n.second; });
  if (found == kNames.end()) {
    fail("--method", fmt::format("\"{}\"", printable(name)), "plan, last-k, layers, full or lora");
  }
  return found->first;
}

std::string_view name_of(Method method) {
  return std::ranges::find(kNames, method, [](const auto& n) { return n.first; })->second;
}

void validate(const MethodOptions& options) {
  require_method(options, "--last-k", options.last_k.has_value(), Method::kLastK);
  require_method(options, "--layers", !options.layers.empty(), Method::kLayers);
  require_method(options, "--lora-rank", options.lora_rank.has_value(), Method::kLora);
  require_method(options, "--lora-alpha", options.lora_alpha.has_value(), Method::kLora);
  require_method(options, "--lora-targets", !options.lora_targets.empty(), Method::kLora);
  require_method(options, "--adapter", !options.adapter.empty(), Method::kLora);
  if (options.method == Method::kLastK && options.last_k.value_or(0) < 1) {
    fail("--last-k",
         options.last_k ? fmt::format("{}", *options.last_k) : "nothing",
         "how many of the last layers train, at least 1");
  }
  if (options.method == Method::kLayers && options.layers.empty()) {
    fail("--layers", "nothing", "the layers that train, numbered from 0: --layers 3,7");
  }
  validate_lora(options);
}

MethodOptions resolve(MethodOptions options) {
  if (options.method != Method::kLora) {
    return options;
  }
  if (!options.adapter.empty()) {
    const LoraOptions lora = read_adapter_config(options.adapter);
    take_over(options.lora_rank, lora.rank, "--lora-rank");
    take_over(options.lora_alpha, lora.alpha, "--lora-alpha");
    if (!options.lora_targets.empty() && sorted_targets(options.lora_targets) != lora.targets) {
      fail("--lora-targets",
           fmt::format("{}", fmt::join(options.lora_targets, ",")),
           fmt::format("{}, as in the adapter, or nothing", fmt::join(lora.targets, ",")));
    }
    options.lora_targets = lora.targets;
    return options;
  }
  options.lora_rank = options.lora_rank.value_or(kDefaultRank);
  options.lora_alpha =
      options.lora_alpha.value_or(kDefaultAlphaPerRank * static_cast<double>(*options.lora_rank));
  options.lora_targets = sorted_targets(options.lora_targets);
  return options;
}

Json method_settings(const MethodOptions& resolved) {
  Json settings = {{"method", name_of(resolved.method)}};
  switch (resolved.method) {
    case Method::kLastK:
      settings["last-k"] = *resolved.last_k;
      break;
    case Method::kLayers:
      settings["layers"] = resolved.layers;
      break;
    case Method::kLora:
      settings["lora-rank"] = *resolved.lora_rank;
      settings["lora-alpha"] = *resolved.lora_alpha;
      settings["lora-targets"] = resolved.lora_targets;
      if (!resolved.adapter.empty()) {
        settings["adapter"] = adapter_hash(resolved.adapter);
      }
      break;
    case Method::kPlan:
    case Method::kFull:
      break;
  }
  return settings;
}

void keep_choices(MethodOptions& options, const JsonObject& stored) {
  if (options.method != Method::kLora || stored.string_or("method", "") != "lora") {
    return;
  }
  if (!options.lora_rank) {
    options.lora_rank = stored.integer("lora-rank", 1, kLargestRank);
  }
  if (!options.lora_alpha) {
    options.lora_alpha = stored.number("lora-alpha");
  }
  if (options.lora_targets.empty()) {
    options.lora_targets = stored.array("lora-targets").get<std::vector<std::string>>();
  }
}

TrainableSet trainable_set(const MethodOptions& resolved,
                           const Checkpoint& checkpoint,
                           const std::optional<SurgeryRecord>& record) {
  return resolved.method == Method::kPlan
             ? TrainableSet{.layers = planned_layers(checkpoint, record)}
             : chosen_set(resolved, checkpoint.config().num_hidden_layers);
}

TrainableSet trainable_set(const MethodOptions& resolved, const Plan& plan) {
  return resolved.method == Method::kPlan ? TrainableSet{.layers = marked_layers(plan)}
                                          : chosen_set(resolved, std::ssize(plan.layers));
}

std::string describe(const TrainableSet& set) {
  if (set.lora) {
    return fmt::format("rank {} (alpha {:g}) beside {} of {} layers",
                       set.lora->rank,
                       set.lora->alpha,
                       fmt::join(set.lora->targets, ", "),
                       set.layers.size());
  }
  return set.has_all ? "all weights" : fmt::format("layers {}", fmt::join(set.layers, ", "));
}

}  // namespace slayer
