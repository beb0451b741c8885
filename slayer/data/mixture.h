#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "slayer/data/order.h"

namespace slayer {

/// Text to train on and its share of what is drawn.
struct WeightedText {
  std::string pattern;  ///< A file, folder or glob.
  std::optional<double> weight = {};
};

/// "laws/" or "laws/=0.9": a weight stands behind the last equals sign, unless that is a part of a
/// file's name. @throws Error for a weight that is not above 0.
WeightedText parse_weighted_text(const std::string& text);

std::vector<WeightedText> parse_weighted_texts(const std::vector<std::string>& texts);

/// The texts' patterns, without their weights.
std::vector<std::string> patterns_of(const std::vector<std::string>& texts);

/// Texts that are drawn together.
struct TextSource {
  std::vector<std::string> patterns;
  double share = 1.0;  ///< Of the sequences drawn; all shares add up to 1.
};

/// Without weights one source of all texts, each drawn as often as any other; with weights one
/// source each. @throws Error where some have a weight and some have none.
std::vector<TextSource> sources_of(const std::vector<WeightedText>& texts);

/// A draw: which sequence of which source.
struct Draw {
  size_t source = 0;
  int64_t index = 0;
};

/// The order in which a training draws from several sources: each source's sequences in an order of
/// their own (EpochOrder), the sources interleaved evenly, so that after any number of draws each
/// has had its share but for one. A pure function of (seed, draw), as EpochOrder is.
class MixtureOrder final {
 public:
  /// @param counts sequences of each source, at least 1 each. @param shares as many, adding up
  /// to 1.
  MixtureOrder(const std::vector<int64_t>& counts,
               const std::vector<double>& shares,
               uint64_t seed);

  Draw at(int64_t draw) const;

  /// Draws in which the first source gives each of its sequences once.
  int64_t draws_per_epoch() const { return draws_per_epoch_; }

 private:
  std::vector<EpochOrder> orders_;
  /// For each source but the last, its share of what those before it leave, in 2^-20.
  std::vector<int64_t> shares_;
  int64_t draws_per_epoch_;
};

}  // namespace slayer
