#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "slayer/checkpoint/checkpoint.h"
#include "slayer/core/json.h"
#include "slayer/core/progress.h"
#include "slayer/surgery/record.h"
#include "slayer/train/forgetting.h"
#include "slayer/train/memory.h"
#include "slayer/train/options.h"
#include "slayer/train/training_data.h"

namespace slayer {

/// How a training tells where it is and is asked to stop.
struct TrainControl {
  ProgressStyle progress = ProgressStyle::kSilent;
  std::stop_token stop = {};
};

/// A training that is ready to begin or to go on.
struct TrainJob {
  TrainOptions options;
  TrainChoices choices;  ///< What the options leave open.
  Checkpoint checkpoint;
  std::optional<SurgeryRecord> record;
  TrainableSet trainable;
  WatchedTexts watched;
  std::vector<TrainSource> sources;
  std::string document_tokens;  ///< Which special tokens stand around documents, in words.
  TokenId padding = 0;
  Json settings;  ///< What OUT/training.json holds.

  TrainingData data() const;  ///< This must outlive it.
};

/// Checks the options, opens the checkpoint and tokenises the data. Where OUT holds a training,
/// what that one chose is kept.
/// @throws Error for anything that could not be trained: no plan beside the checkpoint, no text,
/// options that differ from those that the training in OUT began with.
TrainJob prepare(const TrainOptions& options, const TrainControl& control);

/// What a training will need and do; for --dry-run and before the first step.
struct TrainForecast {
  int64_t documents = 0;
  int64_t cut_documents = 0;  ///< See Packing::kWhole.
  int64_t tokens = 0;         ///< Of all documents.
  int64_t sequences_per_epoch = 0;
  int64_t tokens_per_step = 0;
  double epochs = 0.0;
  int64_t parameters = 0;
  int64_t trainable_parameters = 0;
  TrainingMemory memory;
};

TrainForecast forecast(const TrainJob& job);

/// The forecast and the settings as lines for a person, and as JSON.
std::string describe(const TrainJob& job, const TrainForecast& forecast);
Json to_json(const TrainJob& job, const TrainForecast& forecast);

}  // namespace slayer
