#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace slayer {

/// Python's `random.Random(seed)`, draw for draw: few-shot examples must be the ones that
/// lm-evaluation-harness picks.
/// Source: CPython 3.11, Modules/_randommodule.c (MT19937, init_by_array) and Lib/random.py.
class PythonRandom final {
 public:
  explicit PythonRandom(uint32_t seed);

  uint32_t next_u32();

  /// A uniform integer in [0, bound). @pre bound > 0.
  int64_t below(int64_t bound);

  /// `random.sample(range(population), count)`: distinct indices in the order of selection.
  /// @pre 0 <= count <= population.
  std::vector<int64_t> sample(int64_t population, int64_t count);

 private:
  static constexpr size_t kStateSize = 624;

  void refill();

  std::array<uint32_t, kStateSize> state_ = {};
  size_t position_ = kStateSize;
};

}  // namespace slayer
