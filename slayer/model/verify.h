#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "slayer/checkpoint/checkpoint.h"
#include "slayer/surgery/plan.h"

namespace slayer {

/// A prune that costs more is said aloud before anything is trained.
inline constexpr double kCostlyNatsPerToken = 0.1;

/// How a checkpoint that surgery wrote compares with its base on the same text.
struct VerifyReport {
  bool must_be_identical = false;   ///< The plan says so: is_identity().
  bool is_identical = false;        ///< All logits were equal, bit for bit.
  double largest_difference = 0.0;  ///< Of two logits.
  int64_t tokens = 0;               ///< Predicted tokens compared.
  double base_loss = 0.0;           ///< Nats per token.
  double new_loss = 0.0;            ///< Nats per token.

  double cost() const { return new_loss - base_loss; }
  bool is_broken() const { return must_be_identical && !is_identical; }
  bool is_costly() const { return !(cost() <= kCostlyNatsPerToken); }

  /// One sentence for the user, with all figures.
  std::string summary() const;
};

/// Runs both models on token sequences, with the same kernels on the same shapes.
/// @param sequences each of at least two tokens, no longer than the model's context.
/// @throws Error when there is no sequence to run, or the checkpoints do not belong to the plan.
VerifyReport verify_surgery(const Checkpoint& base,
                            const Checkpoint& written,
                            const Plan& plan,
                            const std::vector<std::vector<int32_t>>& sequences,
                            at::ScalarType dtype,
                            at::Device device);

}  // namespace slayer
