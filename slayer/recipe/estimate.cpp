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
#include "slayer/model/device.h"
#include "slayer/recipe/evaluate.h"
#include "slayer/surgery/summary.h"

namespace slayer {
namespace {

constexpr double kBytesPerToken = 4.0;       // Of English text, about.
constexpr double kDiskBytesASecond = 3e8;    // Of a plain SSD.
constexpr double kShareOfProducts = 0.6;     // Of the time; the rest is attention, norms, memory.
constexpr int64_t kMicroBatchTokens = 2048;  // As training chooses it.
constexpr int64_t kStatesKept = 2;

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

double task_tokens(const EvalRecipe& recipe) {
  const TaskCatalogue catalogue = task_catalogue(recipe);
  ItemOptions options;
  options.num_fewshot = recipe.num_fewshot;
  options.limit = recipe.limit;
  double tokens = 0.0;
  for (const std::string& name : task_names(recipe, catalogue)) {
    for (const Item& item : read_items(catalogue.tasks.at(name), recipe.data_dir, options)) {
      tokens += item_tokens(item);
    }
  }
  return tokens;
}

double sum_of_bytes(const std::vector<std::string>& types, double parameters) {
  double bytes = 0.0;
  for (const std::string& type : types) {
    bytes += parameters * (type == "f32" ? 4.0 : type == "q8_0" ? 1.0625 : 2.0);
  }
  return bytes;
}

/// Layers from the lowest trained one up, of all.
double share_with_graph(const Plan& plan) {
  const auto first = std::ranges::find(plan.layers, true, &PlannedLayer::train);
  return static_cast<double>(plan.layers.end() - first) / static_cast<double>(plan.layers.size());
}

}  // namespace

Estimator::Estimator(const Job& job, double flops) : flops_(kShareOfProducts * flops) {
  const Recipe& recipe = job.recipe();
  const ModelConfig& config = job.base().config();
  const Dtype stored = job.base().is_gguf() ? dtype_from_torch_name(recipe.import_dtype)
                                            : config.dtype.value_or(Dtype::kF32);
  const Plan plan = make_plan(recipe.plan, config.num_hidden_layers);
  const PlanSummary planned = summarize(plan, config, stored);
  const auto embedding = config.tie_word_embeddings
                             ? 0.0
                             : static_cast<double>(config.vocab_size * config.hidden_size);
  base_parameters_ = static_cast<double>(parameter_count(config)) - embedding;
  new_parameters_ = static_cast<double>(planned.parameters) - embedding;
  trained_parameters_ = static_cast<double>(planned.trained_parameters);
  share_with_graph_ = share_with_graph(plan);
  width_ = size_in_bytes(dtype_from_torch_name(recipe.dtype));
  base_bytes_ = parameter_count(config) * size_in_bytes(stored);
  new_bytes_ = planned.bytes_on_disk;

  const TrainOptions& train = recipe.train;
  const int64_t seq_len =
      train.seq_len.value_or(std::min(kMicroBatchTokens, config.max_position_embeddings));
  train_tokens_ = train.steps ? static_cast<double>(*train.steps * train.batch_size * seq_len)
                              : text_tokens(train.data);
  const TrainingMemory memory =
      estimate_training_memory(plan,
                               config,
                               dtype_from_torch_name(recipe.dtype),
                               train.micro_batch_size.value_or(std::clamp<int64_t>(
                                   kMicroBatchTokens / seq_len, 1, train.batch_size)),
                               seq_len);
  training_memory_ = memory.total();
  least_training_memory_ = memory.weights + memory.gradients + memory.optimizer;
  state_bytes_ = kStatesKept * 3 * planned.trained_parameters * int64_t{sizeof(float)};
  eval_tokens_ = text_tokens(recipe.eval.domain) + text_tokens(recipe.eval.general) +
                 task_tokens(recipe.eval) +
                 static_cast<double>(std::ssize(recipe.eval.prompts) * recipe.eval.max_new_tokens);
  export_bytes_ = static_cast<int64_t>(
      sum_of_bytes(recipe.exported.gguf, static_cast<double>(planned.parameters)) +
      (recipe.exported.pack ? trained_parameters_ * static_cast<double>(size_in_bytes(stored))
                            : 0.0));
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
  if (stage == "train") {
    // A product forward; backward one for the activations above the lowest trained layer and one
    // for the trained weights.
    const double products = new_parameters_ * (1.0 + share_with_graph_) + trained_parameters_;
    return {.seconds = 2.0 * products * train_tokens_ / flops_,
            .memory_bytes = training_memory_,
            .disk_bytes = state_bytes_ + new_bytes_};
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
  double checksum = at::mm(left, left).sum().item<double>();  // The first one sets things up.
  const auto begin = std::chrono::steady_clock::now();
  std::chrono::duration<double> seconds{};
  double products = 0.0;
  while (seconds.count() < kEnoughSeconds && checksum != 0.0) {
    checksum = at::mm(left, left).sum().item<double>();
    products += 2.0 * kSize * kSize * kSize;
    seconds = std::chrono::steady_clock::now() - begin;
  }
  return products / seconds.count();
}

}  // namespace slayer
