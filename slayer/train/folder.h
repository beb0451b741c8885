#pragma once

#include <filesystem>
#include <optional>

#include "slayer/core/json.h"

namespace slayer {

/// The folder of one training and what lies where in it.
class TrainFolder final {
 public:
  explicit TrainFolder(std::filesystem::path path) : path_(std::move(path)) {}

  std::filesystem::path settings_file() const { return path_ / "training.json"; }
  std::filesystem::path metrics_file() const { return path_ / "metrics.jsonl"; }
  /// TensorBoard takes for its own what has "tfevents" in its name.
  std::filesystem::path events_file() const { return path_ / "events.out.tfevents.slayer"; }
  std::filesystem::path checkpoints() const { return path_ / "checkpoints"; }
  std::filesystem::path cache() const { return path_ / "cache"; }
  std::filesystem::path model() const { return path_ / "model"; }
  std::filesystem::path adapter() const { return path_ / "adapter"; }

  /// The settings of the training that the folder holds; nothing when it is not there, or holds at
  /// most tokenised data. @throws Error when it holds something else.
  std::optional<Json> stored_settings() const;

  /// Removes the training that the folder holds, but not its tokenised data.
  void clear() const;

 private:
  std::filesystem::path path_;
};

}  // namespace slayer
