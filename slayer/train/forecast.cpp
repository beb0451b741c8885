#include <ATen/ATen.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "slayer/checkpoint/family.h"
#include "slayer/model/device.h"
#include "slayer/train/job.h"

namespace slayer {
namespace {

int64_t trained_parameters(const TrainJob& job) {
  return static_cast<int64_t>(job.layers.size()) * parameters_per_layer(job.checkpoint.config());
}

/// Elements that autograd keeps for each token of a layer: both norms' inputs and outputs, queries,
/// keys, values before and after rotation, attention's output, and the three parts of the MLP.
int64_t activations_per_token(const ModelConfig& config) {
  const int64_t heads = config.num_attention_heads + 2 * config.num_key_value_heads;
  return 8 * config.hidden_size + 3 * heads * config.head_dim + 4 * config.intermediate_size;
}

}  // namespace

TrainForecast forecast(const TrainJob& job) {
  const ModelConfig& config = job.checkpoint.config();
  const TrainOptions& options = job.options;
  const auto width = static_cast<int64_t>(c10::elementSize(scalar_type_from_name(options.dtype)));
  const int64_t layers_with_graph = config.num_hidden_layers - job.layers.front();
  TrainForecast result;
  result.documents = job.corpus.tokens.document_count();
  result.tokens_per_epoch = job.corpus.tokens.token_count();
  result.sequences_per_epoch = job.sequences().count();
  result.tokens_per_step = options.batch_size * *options.seq_len;
  result.epochs = static_cast<double>(*options.steps * options.batch_size) /
                  static_cast<double>(result.sequences_per_epoch);
  result.parameters = parameter_count(config);
  result.trainable_parameters = trained_parameters(job);
  const bool has_masters = width < int64_t{sizeof(float)};
  result.weight_bytes = result.parameters * width +
                        (has_masters ? result.trainable_parameters * int64_t{sizeof(float)} : 0);
  result.gradient_bytes = result.trainable_parameters * int64_t{sizeof(float)};
  result.optimizer_bytes = 2 * result.trainable_parameters * int64_t{sizeof(float)};
  result.activation_bytes = *options.micro_batch_size * *options.seq_len * width *
                            activations_per_token(config) * layers_with_graph;
  return result;
}

std::string describe(const TrainJob& job, const TrainForecast& forecast) {
  const TrainOptions& options = job.options;
  return fmt::format(
      "data      {} documents, {} tokens, {} sequences of {} ({}); {}\n"
      "steps     {} of {} sequences = {} tokens ({:.2f} epochs), warm-up {}, lr {:g} cosine\n"
      "trains    layers {}: {} of {} parameters ({:.1f} %)\n"
      "memory    about {}: weights {}, gradients {}, optimizer {}, activations {}",
      forecast.documents,
      format_count(static_cast<double>(forecast.tokens_per_epoch)),
      forecast.sequences_per_epoch,
      *options.seq_len,
      name_of(options.packing),
      job.document_tokens,
      *options.steps,
      options.batch_size,
      format_count(static_cast<double>(*options.steps * forecast.tokens_per_step)),
      forecast.epochs,
      *options.warmup,
      options.lr,
      fmt::join(job.layers, ", "),
      format_count(static_cast<double>(forecast.trainable_parameters)),
      format_count(static_cast<double>(forecast.parameters)),
      100.0 * static_cast<double>(forecast.trainable_parameters) /
          static_cast<double>(forecast.parameters),
      format_bytes(static_cast<double>(forecast.memory_bytes())),
      format_bytes(static_cast<double>(forecast.weight_bytes)),
      format_bytes(static_cast<double>(forecast.gradient_bytes)),
      format_bytes(static_cast<double>(forecast.optimizer_bytes)),
      format_bytes(static_cast<double>(forecast.activation_bytes)));
}

Json to_json(const TrainJob& job, const TrainForecast& forecast) {
  return {{"settings", job.settings},
          {"document_tokens", job.document_tokens},
          {"documents", forecast.documents},
          {"tokens_per_epoch", forecast.tokens_per_epoch},
          {"sequences_per_epoch", forecast.sequences_per_epoch},
          {"tokens_per_step", forecast.tokens_per_step},
          {"epochs", forecast.epochs},
          {"layers", job.layers},
          {"parameters", forecast.parameters},
          {"trainable_parameters", forecast.trainable_parameters},
          {"memory_bytes",
           {{"weights", forecast.weight_bytes},
            {"gradients", forecast.gradient_bytes},
            {"optimizer", forecast.optimizer_bytes},
            {"activations", forecast.activation_bytes},
            {"total", forecast.memory_bytes()}}}};
}

}  // namespace slayer
