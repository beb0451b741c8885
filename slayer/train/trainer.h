#pragma once

#include <cstdint>
#include <filesystem>

#include "slayer/core/json.h"
#include "slayer/train/job.h"

namespace slayer {

/// What a training came to.
struct TrainSummary {
  std::filesystem::path model;  ///< The finished checkpoint's folder.
  int64_t steps = 0;
  int64_t tokens = 0;      ///< Input tokens seen.
  double loss = 0.0;       ///< Of the last step that ran now, in nats; 0 when none did.
  double elapsed_s = 0.0;  ///< Time spent on the steps, over all runs.
};

/// Trains what the method names and writes OUT/model, for LoRA OUT/adapter beside it; goes on from
/// the last checkpoint in OUT, bit for bit as if it had never stopped. A training that is done is
/// left as it is.
/// @throws Interrupted when asked to stop, after saving; Error when the loss is not finite or the
/// disk fails.
TrainSummary train(const TrainJob& job, const TrainControl& control);

Json to_json(const TrainSummary& summary);

}  // namespace slayer
