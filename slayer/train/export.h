#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "slayer/train/job.h"
#include "slayer/train/state.h"
#include "slayer/train/trainable.h"

namespace slayer {

/// Writes the finished checkpoint: the source's frozen tensors and other files byte for byte, the
/// trained tensors in the dtype that the source stores, rounded to nearest even; slayer.json and
/// the model card tell of the training.
/// @throws Error when the disk fails; Interrupted when asked to stop. Either way nothing new lies
/// under `out`.
void write_trained_model(const TrainJob& job,
                         const TrainPosition& position,
                         const std::vector<TrainableParameter>& parameters,
                         const std::filesystem::path& out,
                         const TrainControl& control);

/// Steps of the training that wrote the checkpoint in `model`; 0 when there is none.
int64_t trained_steps(const std::filesystem::path& model);

}  // namespace slayer
