#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

namespace slayer {

/// The terms term(i) for i in [0, size), put together by combine(a, b) in sixteen partial results
/// that begin as `neutral`: SIMD on any processor, with the same bits on each, which one running
/// result would not allow. Inlined, so that its loops take the registers of the function they stand
/// in.
template <class Combine, class Term>
[[gnu::always_inline]] inline float reduce_in_lanes(int64_t size,
                                                    float neutral,
                                                    Combine combine,
                                                    Term term) {
  constexpr int64_t kLanes = 16;
  std::array<float, kLanes> lanes;
  lanes.fill(neutral);
  int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      float& partial = lanes[static_cast<size_t>(lane)];
      partial = combine(partial, term(i + lane));
    }
  }
  for (size_t half = kLanes / 2; half > 0; half /= 2) {
    for (size_t lane = 0; lane < half; ++lane) {
      lanes[lane] = combine(lanes[lane], lanes[lane + half]);
    }
  }
  float result = lanes[0];
  for (; i < size; ++i) {
    result = combine(result, term(i));
  }
  return result;
}

/// Sum of term(i) for i in [0, size).
template <class Term>
[[gnu::always_inline]] inline float sum_in_lanes(int64_t size, Term term) {
  return reduce_in_lanes(size, 0.0F, [](float a, float b) { return a + b; }, term);
}

}  // namespace slayer
