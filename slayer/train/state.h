#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "slayer/train/adamw.h"
#include "slayer/train/forgetting.h"
#include "slayer/train/trainable.h"

namespace slayer {

/// Where a training stands, besides its weights and optimizer. The order of the data follows from
/// the step.
struct TrainPosition {
  int64_t step = 0;          ///< Steps done.
  int64_t tokens = 0;        ///< Input tokens seen so far.
  double elapsed_s = 0.0;    ///< Time spent on the steps, over all runs.
  double cpu_seconds = 0.0;  ///< As `elapsed_s`, of all threads together.
  WatchRecord watch = {};
};

/// The checkpoints of one training: folder/step-N, each whole or not there.
class TrainStates final {
 public:
  explicit TrainStates(std::filesystem::path folder);

  /// Writes step-N durably, then removes all but the last two and the best.
  void save(const TrainPosition& position,
            const std::vector<TrainableParameter>& parameters,
            const AdamW& optimizer) const;

  /// The last checkpoint's folder; nothing when there is none.
  std::optional<std::filesystem::path> last() const;

  /// The folder of step N's checkpoint, whether it is there or not.
  std::filesystem::path path_of(int64_t step) const;

  /// Where the training stood at a checkpoint.
  static TrainPosition position_of(const std::filesystem::path& checkpoint);

  /// Fills the parameters' masters and the optimizer from a checkpoint.
  /// @throws Error when it is damaged or holds other tensors.
  static TrainPosition load(const std::filesystem::path& checkpoint,
                            std::vector<TrainableParameter>& parameters,
                            AdamW& optimizer);

 private:
  std::vector<int64_t> steps() const;  ///< Ascending.
  std::filesystem::path folder_;
};

}  // namespace slayer
