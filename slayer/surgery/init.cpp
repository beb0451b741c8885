#include "slayer/surgery/init.h"

#include <algorithm>
#include <vector>

namespace slayer {
namespace {

void average(const PlannedLayer& layer, const ReadSource& read, std::span<float> values) {
  const bool is_weighted = !layer.weights.empty();
  std::vector<float> source(values.size());
  for (size_t index = 0; index < layer.from.size(); ++index) {
    read(layer.from[index], source);
    const float weight = is_weighted ? static_cast<float>(layer.weights[index]) : 1.0F;
    if (index == 0) {
      // Not added to zero, which would lose the sign of -0.
      std::ranges::transform(source, values.begin(), [&](float x) { return weight * x; });
    } else {
      std::ranges::transform(
          values, source, values.begin(), [&](float sum, float x) { return sum + weight * x; });
    }
  }
  if (!is_weighted) {
    const auto count = static_cast<float>(layer.from.size());
    std::ranges::transform(values, values.begin(), [&](float sum) { return sum / count; });
  }
}

void collapse(const PlannedLayer& layer, const ReadSource& read, std::span<float> values) {
  std::vector<float> absorbing(values.size());
  std::vector<float> source(values.size());
  read(layer.from.front(), absorbing);
  std::ranges::copy(absorbing, values.begin());
  for (const int64_t source_layer : std::span(layer.from).subspan(1)) {
    read(source_layer, source);
    for (size_t index = 0; index < values.size(); ++index) {
      values[index] += source[index] - absorbing[index];
    }
  }
}

}  // namespace

void initialize(const PlannedLayer& layer,
                TensorRole role,
                const ReadSource& read,
                std::span<float> values) {
  if (is_zero(layer, role)) {
    std::ranges::fill(values, 0.0F);
    return;
  }
  switch (layer.init) {
    case Init::kCopy:
      return read(layer.from.front(), values);
    case Init::kAverage:
      return average(layer, read, values);
    case Init::kCollapse:
      return collapse(layer, read, values);
  }
}

bool is_zero(const PlannedLayer& layer, TensorRole role) {
  return layer.zero_output && is_zeroed_by_zero_output(role);
}

bool is_copied(const PlannedLayer& layer, TensorRole role) {
  return layer.init == Init::kCopy && !is_zero(layer, role);
}

}  // namespace slayer
