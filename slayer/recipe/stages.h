#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "slayer/core/json.h"

namespace slayer {

/// One step of a run: a file or folder that is made from others.
struct Stage {
  std::string name;              ///< "train"
  std::filesystem::path output;  ///< Below the run's folder.
  std::function<Json()> inputs;  ///< Settings and hashes that the output depends on.
  /// Makes the output. `goes_on`: a former attempt with the same inputs was cut short and may have
  /// left work to go on from; else what lies there is stale.
  std::function<void(bool goes_on)> make;
};

/// What a stage took.
struct StageTime {
  double seconds = 0.0;
  double cpu_seconds = 0.0;  ///< User and system time of all threads.
};

/// The stages of one run's folder. RUN/stages/NAME.json remembers from which inputs an output was
/// made, so that a stage runs only when they changed, its output is gone, or it was cut short.
class StageLog final {
 public:
  explicit StageLog(std::filesystem::path run) : run_(std::move(run)) {}

  bool is_up_to_date(const Stage& stage) const;

  /// Makes the stage's output and notes that it did.
  void make(const Stage& stage) const;

  /// Of the attempt that finished the stage.
  StageTime time_of(const std::string& stage) const;

 private:
  std::filesystem::path stamp_file(const std::string& stage) const;
  /// The stage's stamp; null when there is none.
  Json stamp(const std::string& stage) const;

  std::filesystem::path run_;
};

}  // namespace slayer
