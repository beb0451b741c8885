#pragma once

#include <cstdint>
#include <string>

#include "slayer/recipe/job.h"

namespace slayer {

/// What a stage will take, from shapes and file sizes: good to a factor of two.
struct StageEstimate {
  double seconds = 0.0;
  int64_t memory_bytes = 0;
  int64_t disk_bytes = 0;  ///< That it adds to the run's folder.
};

/// Estimates of one job's stages.
class Estimator final {
 public:
  /// @param flops floating-point operations a second; see measured_flops.
  Estimator(const Job& job, double flops);

  StageEstimate of(const std::string& stage) const;

  /// Of training alone: weights, gradients and optimizer, which no setting makes smaller.
  int64_t least_training_memory() const { return least_training_memory_; }

 private:
  double flops_;
  double base_parameters_ = 0.0;  ///< That a token is multiplied with.
  double new_parameters_ = 0.0;
  double trained_parameters_ = 0.0;
  double share_with_graph_ = 0.0;  ///< Of the layers: from the lowest trained one up.
  double train_tokens_ = 0.0;
  double eval_tokens_ = 0.0;
  int64_t width_ = 4;  ///< Bytes of a number in the arithmetic.
  int64_t base_bytes_ = 0;
  int64_t new_bytes_ = 0;
  int64_t training_memory_ = 0;
  int64_t least_training_memory_ = 0;
  int64_t state_bytes_ = 0;
  int64_t export_bytes_ = 0;
};

/// What this machine does of the matrix products that training is made of, measured for a fraction
/// of a second.
double measured_flops(const Recipe& recipe);

}  // namespace slayer
