#include <ATen/ATen.h>

#include <algorithm>
#include <fmt/format.h>

#include "slayer/checkpoint/family.h"
#include "slayer/model/device.h"
#include "slayer/surgery/summary.h"
#include "slayer/train/job.h"

namespace slayer {
namespace {

/// Bytes of the frozen matrices as 8-bit integers: the layers' once for each product, the head's
/// for the forward one.
int64_t int8_bytes(const TrainJob& job) {
  const ModelConfig& config = job.checkpoint.config();
  int64_t bytes = config.vocab_size * config.hidden_size;
  for (const ExpectedTensor& expected : expected_tensors(config)) {
    const bool is_frozen =
        job.trainable.lora || !std::ranges::binary_search(job.trainable.layers, expected.layer);
    if (expected.layer >= 0 && expected.shape.size() == 2 && is_frozen) {
      bytes += 2 * expected.shape[0] * expected.shape[1];
    }
  }
  return bytes;
}

/// The head's gradient and the embedding's, before they are added to what is kept.
int64_t embedding_gradient_bytes(const ModelConfig& config, int64_t width) {
  return config.vocab_size * config.hidden_size * (int64_t{sizeof(float)} + width);
}

/// What adapters keep beside their inputs: A x for each.
int64_t adapter_bytes(const LoraOptions& lora, const StepShape& step) {
  const int64_t layers = step.is_recomputed ? 1 : step.layers_in_graph;
  return step.tokens * layers * std::ssize(lora.targets) * lora.rank * int64_t{sizeof(float)};
}

}  // namespace

TrainForecast forecast(const TrainJob& job) {
  const ModelConfig& config = job.checkpoint.config();
  const TrainOptions& options = job.options;
  const TrainChoices& choices = job.choices;
  const Dtype dtype = dtype_of(scalar_type_from_name(choices.compute));
  const int64_t width = size_in_bytes(dtype);
  TrainForecast result;
  for (const TrainSource& source : job.sources) {
    result.documents += source.corpus.tokens.document_count();
    result.tokens += source.corpus.tokens.token_count();
  }
  const TrainingData data = job.data();
  result.sequences_per_epoch = data.draws_per_epoch();
  result.cut_documents = data.cut_documents();
  result.tokens_per_step = options.batch_size * choices.seq_len;
  result.epochs = static_cast<double>(choices.steps * options.batch_size) /
                  static_cast<double>(result.sequences_per_epoch);
  result.parameters = parameter_count(config);
  result.trainable_parameters = trained_parameters(job.trainable, config);
  const bool has_masters = !job.trainable.lora && width < int64_t{sizeof(float)};
  result.weight_bytes =
      result.parameters * width +
      (job.trainable.lora ? result.trainable_parameters * int64_t{sizeof(float)} : 0) +
      (has_masters ? result.trainable_parameters * int64_t{sizeof(float)} : 0) +
      (options.has_int8_frozen ? int8_bytes(job) : 0);
  result.gradient_bytes = result.trainable_parameters * int64_t{sizeof(float)} +
                          (job.trainable.has_all ? embedding_gradient_bytes(config, width) : 0);
  result.optimizer_bytes = 2 * result.trainable_parameters * int64_t{sizeof(float)};
  const StepShape step{.tokens = choices.micro_batch_size * choices.seq_len,
                       .layers_in_graph = config.num_hidden_layers - job.trainable.layers.front(),
                       .layers_with_inputs = std::ssize(job.trainable.layers),
                       .is_recomputed = choices.recompute};
  result.activation_bytes = activation_bytes(config, dtype, step) +
                            (job.trainable.lora ? adapter_bytes(*job.trainable.lora, step) : 0);
  result.program_bytes = program_bytes(config, dtype);
  return result;
}

namespace {

/// A line for each source of several, and one for documents that are cut.
std::string describe_sources(const TrainJob& job, const TrainForecast& forecast) {
  std::string lines;
  for (const TrainSource& source : job.sources) {
    if (job.sources.size() > 1) {
      lines += fmt::format("  {:5.1f} %  {}{}: {} documents, {} tokens\n",
                           100.0 * source.share,
                           source.corpus.source.files.front().string(),
                           source.corpus.source.files.size() > 1 ? ", ..." : "",
                           source.corpus.tokens.document_count(),
                           format_count(static_cast<double>(source.corpus.tokens.token_count())));
    }
  }
  if (forecast.cut_documents > 0) {
    lines += fmt::format("  {} documents are longer than a sequence: their ends are left out\n",
                         forecast.cut_documents);
  }
  return lines;
}

}  // namespace

std::string describe(const TrainJob& job, const TrainForecast& forecast) {
  const TrainOptions& options = job.options;
  const TrainChoices& choices = job.choices;
  return fmt::format(
      "data      {} documents, {} tokens, {} sequences of {} ({}); {}\n{}"
      "steps     {} of {} sequences = {} tokens ({:.2f} epochs), warm-up {}, lr {:g} {}\n"
      "trains    {}: {} of {} parameters ({:.1f} %), in {}{}\n"
      "memory    about {}: weights {}, gradients {}, optimizer {}, activations {}{}, program {}",
      forecast.documents,
      format_count(static_cast<double>(forecast.tokens)),
      forecast.sequences_per_epoch,
      choices.seq_len,
      name_of(choices.packing),
      job.document_tokens,
      describe_sources(job, forecast),
      choices.steps,
      options.batch_size,
      format_count(static_cast<double>(choices.steps * forecast.tokens_per_step)),
      forecast.epochs,
      choices.warmup,
      choices.lr,
      name_of(options.schedule),
      describe(job.trainable),
      format_count(static_cast<double>(forecast.trainable_parameters)),
      format_count(static_cast<double>(forecast.parameters)),
      100.0 * static_cast<double>(forecast.trainable_parameters) /
          static_cast<double>(forecast.parameters),
      choices.compute,
      options.has_int8_frozen ? "; frozen layers in int8" : "",
      format_bytes(static_cast<double>(forecast.memory_bytes())),
      format_bytes(static_cast<double>(forecast.weight_bytes)),
      format_bytes(static_cast<double>(forecast.gradient_bytes)),
      format_bytes(static_cast<double>(forecast.optimizer_bytes)),
      format_bytes(static_cast<double>(forecast.activation_bytes)),
      choices.recompute ? " (recomputed)" : "",
      format_bytes(static_cast<double>(forecast.program_bytes)));
}

Json to_json(const TrainJob& job, const TrainForecast& forecast) {
  return {{"settings", job.settings},
          {"document_tokens", job.document_tokens},
          {"documents", forecast.documents},
          {"tokens", forecast.tokens},
          {"cut_documents", forecast.cut_documents},
          {"sequences_per_epoch", forecast.sequences_per_epoch},
          {"tokens_per_step", forecast.tokens_per_step},
          {"epochs", forecast.epochs},
          {"layers", job.trainable.layers},
          {"parameters", forecast.parameters},
          {"trainable_parameters", forecast.trainable_parameters},
          {"memory_bytes",
           {{"weights", forecast.weight_bytes},
            {"gradients", forecast.gradient_bytes},
            {"optimizer", forecast.optimizer_bytes},
            {"activations", forecast.activation_bytes},
            {"program", forecast.program_bytes},
            {"total", forecast.memory_bytes()}}}};
}

}  // namespace slayer
