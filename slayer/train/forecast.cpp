#include <ATen/ATen.h>

#include <fmt/format.h>

#include "slayer/checkpoint/family.h"
#include "slayer/model/device.h"
#include "slayer/train/job.h"

namespace slayer {

TrainForecast forecast(const TrainJob& job) {
  const ModelConfig& config = job.checkpoint.config();
  const TrainOptions& options = job.options;
  const TrainChoices& choices = job.choices;
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
  result.memory = training_memory(config,
                                  job.trainable,
                                  {.compute = dtype_of(scalar_type_from_name(choices.compute)),
                                   .tokens = choices.micro_batch_size * choices.seq_len,
                                   .is_recomputed = choices.recompute,
                                   .has_int8_frozen = options.has_int8_frozen});
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
      format_bytes(static_cast<double>(forecast.memory.total())),
      format_bytes(static_cast<double>(forecast.memory.weights)),
      format_bytes(static_cast<double>(forecast.memory.gradients)),
      format_bytes(static_cast<double>(forecast.memory.optimizer)),
      format_bytes(static_cast<double>(forecast.memory.activations)),
      choices.recompute ? " (recomputed)" : "",
      format_bytes(static_cast<double>(forecast.memory.program)));
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
           {{"weights", forecast.memory.weights},
            {"gradients", forecast.memory.gradients},
            {"optimizer", forecast.memory.optimizer},
            {"activations", forecast.memory.activations},
            {"program", forecast.memory.program},
            {"total", forecast.memory.total()}}}};
}

}  // namespace slayer
