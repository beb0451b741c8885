#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <vector>

#include "slayer/train/forgetting.h"

namespace slayer {

/// One line of metrics.jsonl.
struct StepMetrics {
  int64_t step = 0;   ///< From 1; 0: only `watched`, before the first step.
  double loss = 0.0;  ///< Nats per target, before the step.
  double lr = 0.0;
  double grad_norm = 0.0;  ///< Before clipping.
  int64_t tokens = 0;      ///< Input tokens so far.
  double tokens_per_second = 0.0;
  double elapsed_s = 0.0;
  double cpu_seconds = 0.0;  ///< As `elapsed_s`, of all threads together.
  bool is_spike = false;     ///< See LossSpikes; the key "spike" stands in such lines only.
  /// After the step, where the watched texts were looked at then; keys "domain_loss",
  /// "domain_perplexity", "general_loss", "general_perplexity" and "forgetting".
  WatchedLosses watched = {};
  double forgetting = 0.0;
};

/// metrics.jsonl: what each step did, one JSON object a line.
class MetricsFile final {
 public:
  /// Opens the file to go on after `last_step`: the lines of later steps, and a line that was cut
  /// off, are removed.
  MetricsFile(const std::filesystem::path& path, int64_t last_step);

  /// Losses of the steps whose lines were there already.
  const std::vector<double>& losses_before() const { return losses_before_; }

  /// @throws Error when the disk is full.
  void append(const StepMetrics& metrics);

 private:
  std::filesystem::path path_;
  std::vector<double> losses_before_;
  std::ofstream file_;
};

}  // namespace slayer
