#include "slayer/recipe/estimate.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "slayer/checkpoint/family.h"
#include "slayer/data/documents.h"
#include "slayer/data/mixture.h"
#include "slayer/eval/item.h"
#include "slayer/eval/task_folder.h"
#include "slayer/model/device.h"
#include "slayer/model/matrix_product.h"
#include "slayer/recipe/trained.h"
#include "slayer/surgery/summary.h"
#include "slayer/train/memory.h"

namespace slayer {
namespace {

constexpr double kBytesPerToken = 4.0;       // Of English text, about.
constexpr double kDiskBytesASecond = 3e8;    // Of a plain SSD.
constexpr double kShareOfProducts = 0.6;     // Of the time; the rest is attention, norms, memory.
constexpr int64_t kMicroBatchTokens = 2048;  // As training chooses it.
constexpr int64_t kStates = 3;               // Two are kept while the next is written.

double text_tokens(const std::vector<std::string>& patterns) {
  double bytes = 0.0;
  for (const std::filesystem::path& file : find_document_files(patterns_of(patterns))) {
    bytes += static_cast<double>(std::filesystem::file_size(file));
  }
  return bytes / kBytesPerToken;
}

/// Choices of an item share their context.
double item_tokens(const Item& item) {
  size_t bytes = item.target.size();
  for (const TextRequest& request : item.requests) {
    bytes += request.continuation.size();
  }
  bytes += item.requests.empty() ? 0 : item.requests.front().context.size();
  return static_cast<double>(bytes) / kBytesPerToken;
}

/// Tokens of all items of some tasks and groups.
double task_tokens(const Recipe& recipe,
                   const std::vector<std::string>& names,
                   const ItemOptions& options) {
  if (names.empty()) {
    return 0.0;
  }
  const std::filesystem::path& tasks_dir = recipe.eval.tasks_dir;
  TaskCatalogue catalogue = read_task_folder(tasks_dir.empty() ? default_task_folder() : tasks_dir);
  const std::vector<std::string> known = add_own_tasks(names, catalogue);
  double tokens = 0.0;
  for (const std::string& name : resolve_tasks(catalogue, known)) {
    for (const Item& item : read_items(catalogue.tasks.at(name), recipe.eval.data_dir, options)) {
      tokens += item_tokens(item);
    }
  }
  return tokens;
}

double eval_tokens(const Recipe& recipe) {
  const EvalRecipe& eval = recipe.eval;
  ItemOptions options;
  options.num_fewshot = eval.num_fewshot;
  options.limit = eval.limit;
  return text_tokens(eval.domain) + text_tokens(eval.general) +
         task_tokens(recipe, eval.domain_tasks, options) +
         task_tokens(recipe, eval.general_tasks, options) +
         static_cast<double>(std::ssize(eval.prompts) * eval.max_new_tokens);
}

/// How often a probe runs text through the whole model: plans that leave a layer out, or have one
/// twice, share what is before it, half of the layers on average.
double probe_passes(const ProbeMethods& methods, int64_t layers) {
  const double sweep = 0.5 * static_cast<double>(layers + 1);
  return 1.0 + (methods.remove ? sweep : 0.0) + (methods.expand ? sweep : 0.0) +
         0.5 * static_cast<double>(methods.last) + (methods.angular ? 1.0 : 0.0) +
         (methods.gradient ? 3.0 : 0.0) + (methods.lens ? 2.0 : 0.0) +
         static_cast<double>(methods.prune) * sweep;
}

double probe_tokens(const Recipe& recipe, int64_t layers) {
  const ProbeRequest& probe = *recipe.probe;
  double tokens = 0.0;
  for (const ProbeSources* const sources : {&probe.plain, &probe.domain, &probe.general}) {
    const double text = text_tokens(sources->text);
    const auto most = static_cast<double>(probe.text.windows * probe.text.seq_len);
    tokens += (probe.text.windows == 0 ? text : std::min(text, most)) +
              task_tokens(recipe, sources->tasks, probe.items);
  }
  return tokens * probe_passes(probe.methods, layers);
}

double sum_of_bytes(const std::vector<std::string>& types, double parameters) {
  double bytes = 0.0;
  for (const std::string& type : types) {
    bytes += parameters * (type == "f32" ? 4.0 : type == "q8_0" ? 1.0625 : 2.0);
  }
  return bytes;
}

}  // namespace

Estimator::Estimator(const Job& job, std::optional<double> flops)
    : flops_(kShareOfProducts * flops.value_or(1.0)) {
  const Recipe& recipe = job.recipe();
  const ModelConfig& config = job.base().config();
  const Dtype stored = job.base().is_gguf() ? dtype_from_torch_name(recipe.import_dtype)
                                            : config.dtype.value_or(Dtype::kF32);
  const PlannedTrainings planned = planned_trainings(recipe, job.expected_plan());
  const PlanSummary summary = summarize(planned.plan, config, stored);
  const auto embedding = config.tie_word_embeddings
                             ? 0.0
                             : static_cast<double>(config.vocab_size * config.hidden_size);
  base_parameters_ = static_cast<double>(parameter_count(config)) - embedding;
  new_parameters_ = static_cast<double>(summary.parameters) - embedding;
  width_ = size_in_bytes(dtype_from_torch_name(recipe.dtype));
  base_bytes_ = parameter_count(config) * size_in_bytes(stored);
  new_bytes_ = summary.bytes_on_disk;
  trainings_["train"] = training(recipe.train, planned.train, config, planned.plan);
  if (recipe.sft) {
    trainings_["sft"] = training(*recipe.sft, *planned.sft, config, planned.plan);
  }
  if (flops) {
    probe_tokens_ = recipe.probe ? probe_tokens(recipe, config.num_hidden_layers) : 0.0;
    eval_tokens_ = eval_tokens(recipe);
  }
  export_bytes_ = static_cast<int64_t>(
                      sum_of_bytes(recipe.exported.gguf, static_cast<double>(summary.parameters))) +
                  (recipe.exported.pack ? summary.trained_parameters * size_in_bytes(stored) : 0);
}

Estimator::Training Estimator::training(const TrainOptions& options,
                                        const TrainableSet& set,
                                        const ModelConfig& base,
                                        const Plan& plan) const {
  const ModelConfig config = with_layers(base, layer_origins(plan));
  const int64_t seq_len =
      options.seq_len.value_or(std::min(kMicroBatchTokens, config.max_position_embeddings));
  const int64_t micro_batch_size = options.micro_batch_size.value_or(
      std::clamp<int64_t>(kMicroBatchTokens / seq_len, 1, options.batch_size));
  const double tokens = options.steps ? static_cast<double>(*options.steps) *
                                            static_cast<double>(options.batch_size) *
                                            static_cast<double>(seq_len)
                                      : text_tokens(options.data);
  const int64_t trained = trained_parameters(set, config);
  const int64_t lowest = set.layers.empty() ? config.num_hidden_layers : set.layers.front();
  const double share_in_graph = static_cast<double>(config.num_hidden_layers - lowest) /
                                static_cast<double>(config.num_hidden_layers);
  Training needs;
  // A product forward; backward one for the activations in the graph and one for what trains.
  needs.products =
      (new_parameters_ * (1.0 + share_in_graph) + static_cast<double>(trained)) * tokens;
  const auto memory_in = [&](const std::string& left_open) {
    return training_memory(config,
                           set,
                           {.compute = dtype_from_torch_name(options.compute.value_or(left_open)),
                            .tokens = micro_batch_size * seq_len,
                            .is_recomputed = options.recompute.value_or(false),
                            .has_int8_frozen = options.has_int8_frozen});
  };
  needs.least_memory_bytes = memory_in("bfloat16").state();
  needs.memory_bytes = memory_in("float32").total();
  needs.state_bytes =
      (kStates + (options.eval_domain.empty() && options.eval_general.empty() ? 0 : 1)) * 3 *
      trained * int64_t{sizeof(float)};
  return needs;
}

int64_t Estimator::least_memory(const std::string& stage) const {
  const auto found = trainings_.find(stage);
  return found == trainings_.end() ? 0 : found->second.least_memory_bytes;
}

StageEstimate Estimator::of(const std::string& stage) const {
  const auto on_disk = [](int64_t bytes) {
    return StageEstimate{.seconds = static_cast<double>(bytes) / kDiskBytesASecond,
                         .memory_bytes = int64_t{1} << 26U,
                         .disk_bytes = bytes};
  };
  const auto weights = [this](double parameters) {
    return static_cast<int64_t>(parameters) * width_;
  };
  if (stage == "import") {
    return on_disk(base_bytes_);
  }
  if (stage == "surgery") {
    return on_disk(new_bytes_);
  }
  if (stage == "export") {
    return on_disk(export_bytes_);
  }
  if (const auto found = trainings_.find(stage); found != trainings_.end()) {
    return {.seconds = 2.0 * found->second.products / flops_,
            .memory_bytes = found->second.memory_bytes,
            .disk_bytes = found->second.state_bytes + new_bytes_};
  }
  if (stage == "probe") {
    return {.seconds = 2.0 * base_parameters_ * probe_tokens_ / flops_,
            .memory_bytes = weights(base_parameters_),
            .disk_bytes = 0};
  }
  if (stage == "eval-base" || stage == "eval-new") {
    const double parameters = stage == "eval-base" ? base_parameters_ : new_parameters_;
    return {.seconds = 2.0 * parameters * eval_tokens_ / flops_,
            .memory_bytes = weights(parameters),
            .disk_bytes = 0};
  }
  if (stage == "verify") {
    return {.seconds = 2.0 * (base_parameters_ + new_parameters_) * 2048.0 / flops_,
            .memory_bytes = weights(base_parameters_ + new_parameters_),
            .disk_bytes = 0};
  }
  return {};
}

double measured_flops(const Recipe& recipe) {
  constexpr int64_t kSize = 768;
  constexpr double kEnoughSeconds = 0.2;
  if (recipe.threads > 0) {
    at::set_num_threads(static_cast<int>(recipe.threads));
  }
  const at::Tensor left = at::ones({kSize, kSize},
                                   at::TensorOptions(scalar_type_from_name(recipe.dtype))
                                       .device(device_from_name(recipe.device)));
  double checksum =
      matrix_product(left, left).sum().item<double>();  // The first one sets things up.
  const auto begin = std::chrono::steady_clock::now();
  std::chrono::duration<double> seconds{};
  double products = 0.0;
  while (seconds.count() < kEnoughSeconds && checksum != 0.0) {
    checksum = matrix_product(left, left).sum().item<double>();
    products += 2.0 * kSize * kSize * kSize;
    seconds = std::chrono::steady_clock::now() - begin;
  }
  return products / seconds.count();
}

}  // namespace slayer
