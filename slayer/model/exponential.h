#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <utility>

namespace slayer {

/// e^x for x in [-87, 87] and what the nearest of these gives beyond, within 2 units in the last
/// place. Without branches or calls, so that loops of it become SIMD; e^x is split as 2^n * e^r
/// with |r| <= ln(2) / 2, and e^r is its Taylor polynomial.
inline float exponential(float x) {
  constexpr float kLog2E = 1.44269504F;
  constexpr float kLn2High = 0.693359375F;  // Few enough bits for n * kLn2High to be exact.
  constexpr float kLn2Low = -2.12194440e-4F;
  constexpr float kRound = 0x1.8p23F;  // Adding it leaves the nearest integer in the low bits.
  const float y = std::min(std::max(x, -87.0F), 87.0F);  // Beyond, e^x leaves the normal floats.
  const float shifted = y * kLog2E + kRound;
  const float n = shifted - kRound;
  const float r = (y - n * kLn2High) - n * kLn2Low;
  float polynomial = 1.0F / 5040.0F;
  polynomial = polynomial * r + 1.0F / 720.0F;
  polynomial = polynomial * r + 1.0F / 120.0F;
  polynomial = polynomial * r + 1.0F / 24.0F;
  polynomial = polynomial * r + 1.0F / 6.0F;
  polynomial = polynomial * r + 0.5F;
  polynomial = polynomial * r + 1.0F;
  polynomial = polynomial * r + 1.0F;
  const uint32_t exponent = std::bit_cast<uint32_t>(shifted) + 127U;
  return polynomial * std::bit_cast<float>(exponent << 23U);
}

/// Scores -> exp(score - the largest). @return The largest and the sum of what came out.
std::pair<float, float> exponentiate(float* scores, int64_t size);

}  // namespace slayer
