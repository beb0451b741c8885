#pragma once

#include <cstdint>
#include <random>
#include <span>
#include <utility>
#include <vector>

namespace slayer {

/// How the next token is chosen among the logits.
struct SamplingOptions {
  double temperature = 0.0;  ///< 0: the most likely token, always.
  int64_t top_k = 0;         ///< Only among this many most likely tokens; 0: all.
  double top_p = 1.0;        ///< Only among the fewest tokens whose probabilities add up to this.
  uint64_t seed = 0;
};

/// @throws Error naming the option that is out of its range.
void validate(const SamplingOptions& options);

/// Draws tokens for one sequence. The same seed, stream and logits give the same tokens on every
/// platform.
class Sampler final {
 public:
  /// `stream` tells the sequences of one seed apart.
  Sampler(const SamplingOptions& options, uint64_t stream);

  /// @param logits one per token of the vocabulary; the first of equals is the more likely.
  int32_t sample(std::span<const float> logits);

 private:
  double uniform();  ///< In [0, 1).

  SamplingOptions options_;
  std::mt19937_64 random_;
  std::vector<std::pair<float, int32_t>> candidates_;  ///< Logit and token; kept for its memory.
};

}  // namespace slayer
