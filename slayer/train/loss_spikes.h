#pragma once

#include <cstddef>
#include <deque>
#include <optional>

namespace slayer {

/// Notices a loss that is far above those before it: data that are broken, or a training that is
/// about to diverge.
///
/// Far is six times the usual spread (1.4826 times the median distance from the median) of the last
/// 64 losses above their median, and a tenth of it at least.
class LossSpikes final {
 public:
  /// Takes in the next step's loss. @return the median that it is far above; nothing when it is
  /// not, or too few came before to tell.
  std::optional<double> add(double loss);

 private:
  std::deque<double> latest_;
};

}  // namespace slayer
