#include "slayer/model/exponential.h"

#include <limits>

#include "slayer/model/lanes.h"

namespace slayer {

#ifdef __x86_64__
[[gnu::target_clones("avx512f", "avx2", "default")]]
#endif
std::pair<float, float> exponentiate(float* scores, int64_t size) {
  const float largest = reduce_in_lanes(
      size,
      -std::numeric_limits<float>::infinity(),
      [](float a, float b) { return std::max(a, b); },
      [&](int64_t k) { return scores[k]; });
  const float sum =
      sum_in_lanes(size, [&](int64_t k) { return scores[k] = exponential(scores[k] - largest); });
  return {largest, sum};
}

}  // namespace slayer
