#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>

namespace slayer {

/// One line of metrics.jsonl.
struct StepMetrics {
  int64_t step = 0;   ///< From 1.
  double loss = 0.0;  ///< Nats per target, before the step.
  double lr = 0.0;
  double grad_norm = 0.0;  ///< Before clipping.
  int64_t tokens = 0;      ///< Input tokens so far.
  double tokens_per_second = 0.0;
  double elapsed_s = 0.0;
};

/// metrics.jsonl: what each step did, one JSON object a line.
class MetricsFile final {
 public:
  /// Opens the file to go on after `last_step`: the lines of later steps, and a line that was cut
  /// off, are removed.
  MetricsFile(const std::filesystem::path& path, int64_t last_step);

  /// @throws Error when the disk is full.
  void append(const StepMetrics& metrics);

 private:
  std::filesystem::path path_;
  std::ofstream file_;
};

}  // namespace slayer
