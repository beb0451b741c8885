#include "slayer/train/loss_spikes.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace slayer {
namespace {

constexpr size_t kWindow = 64;
constexpr size_t kFewest = 16;
constexpr double kSpreads = 6.0;
constexpr double kDeviationsPerMedianDistance = 1.4826;  // for a normal distribution
constexpr double kLeastShare = 0.1;

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

}  // namespace

std::optional<double> LossSpikes::add(double loss) {
  std::optional<double> usual;
  if (latest_.size() >= kFewest) {
    const std::vector<double> values(latest_.begin(), latest_.end());
    const double middle = median(values);
    std::vector<double> distances;
    std::ranges::transform(values, std::back_inserter(distances), [middle](double value) {
      return std::abs(value - middle);
    });
    const double spread = kDeviationsPerMedianDistance * median(distances);
    if (loss > middle + std::max(kSpreads * spread, kLeastShare * middle)) {
      usual = middle;
    }
  }
  latest_.push_back(loss);
  if (latest_.size() > kWindow) {
    latest_.pop_front();
  }
  return usual;
}

}  // namespace slayer
