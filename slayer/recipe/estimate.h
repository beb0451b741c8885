#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "slayer/recipe/job.h"
#include "slayer/train/trainable.h"

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
  /// @param flops floating-point operations a second, see measured_flops; without them, there are
  ///              no times, and the tasks' items are not read.
  Estimator(const Job& job, std::optional<double> flops);

  StageEstimate of(const std::string& stage) const;

  /// Of a training: weights, gradients and optimizer, which no setting makes smaller. Of other
  /// stages 0.
  int64_t least_memory(const std::string& stage) const;

 private:
  /// Of one training.
  struct Training {
    double products = 0.0;  ///< Multiplications of all its tokens with weights.
    int64_t memory_bytes = 0;
    int64_t least_memory_bytes = 0;
    int64_t state_bytes = 0;
  };

  Training training(const TrainOptions& options,
                    const TrainableSet& set,
                    const ModelConfig& base,
                    const Plan& plan) const;

  double flops_;
  double base_parameters_ = 0.0;  ///< That a token is multiplied with.
  double new_parameters_ = 0.0;
  double probe_tokens_ = 0.0;  ///< That run through the whole model.
  double eval_tokens_ = 0.0;
  std::map<std::string, Training> trainings_;  ///< By stage.
  int64_t width_ = 4;                          ///< Bytes of a number in the arithmetic.
  int64_t base_bytes_ = 0;
  int64_t new_bytes_ = 0;
  int64_t export_bytes_ = 0;
};

/// What this machine does of the matrix products that training is made of, measured for a fraction
/// of a second.
double measured_flops(const Recipe& recipe);

}  // namespace slayer
