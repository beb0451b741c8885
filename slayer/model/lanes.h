#pragma once

#include <array>
#include <cstdint>

namespace slayer {

/// Sum of term(i) for i in [0, size). Sixteen partial sums: SIMD on any processor, with the same
/// bits on each, which one running sum would not allow.
template <class Term>
float sum_in_lanes(int64_t size, Term term) {
  constexpr int64_t kLanes = 16;
  std::array<float, kLanes> lanes{};
  int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      lanes[static_cast<size_t>(lane)] += term(i + lane);
    }
  }
  float sum = 0.0F;
  for (const float lane : lanes) {
    sum += lane;
  }
  for (; i < size; ++i) {
    sum += term(i);
  }
  return sum;
}

}  // namespace slayer
