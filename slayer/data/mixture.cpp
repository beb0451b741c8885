#include "slayer/data/mixture.h"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <numeric>

#include "slayer/core/error.h"

namespace slayer {
namespace {

constexpr int64_t kOne = int64_t{1} << 20U;
constexpr uint64_t kSeedStep = 0x9E3779B97F4A7C15;  // 2^64 divided by the golden ratio

/// How many of the first `draws` draws go to a source with this share: the first one does.
int64_t draws_of(int64_t share, int64_t draws) { return (draws * share + kOne - 1) / kOne; }

}  // namespace

WeightedText parse_weighted_text(const std::string& text) {
  const size_t equals = text.rfind('=');
  if (equals == std::string::npos || std::filesystem::exists(text)) {
    return {.pattern = text};
  }
  const std::string number = text.substr(equals + 1);
  double weight = 0.0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), weight);
  if (error != std::errc() || end != number.data() + number.size()) {
    return {.pattern = text};
  }
  if (!(weight > 0.0) || !std::isfinite(weight)) {
    throw Error({.file = "--data",
                 .item = printable(text),
                 .found = "weight " + number,
                 .expected = "a weight above 0"});
  }
  return {.pattern = text.substr(0, equals), .weight = weight};
}

std::vector<WeightedText> parse_weighted_texts(const std::vector<std::string>& texts) {
  std::vector<WeightedText> parsed;
  std::ranges::transform(texts, std::back_inserter(parsed), parse_weighted_text);
  return parsed;
}

std::vector<std::string> patterns_of(const std::vector<std::string>& texts) {
  std::vector<std::string> patterns;
  for (const WeightedText& text : parse_weighted_texts(texts)) {
    patterns.push_back(text.pattern);
  }
  return patterns;
}

std::vector<TextSource> sources_of(const std::vector<WeightedText>& texts) {
  std::vector<TextSource> sources;
  double total = 0.0;
  for (const WeightedText& text : texts) {
    if (text.weight.has_value() != texts.front().weight.has_value()) {
      throw Error({.file = "--data",
                   .item = printable(text.pattern),
                   .found = text.weight ? "a weight" : "no weight",
                   .expected = "a weight for every text, or for none"});
    }
    if (sources.empty() || text.weight) {
      sources.push_back({.patterns = {}, .share = text.weight.value_or(1.0)});
      total += sources.back().share;
    }
    sources.back().patterns.push_back(text.pattern);
  }
  for (TextSource& source : sources) {
    source.share /= total;
  }
  return sources;
}

MixtureOrder::MixtureOrder(const std::vector<int64_t>& counts,
                           const std::vector<double>& shares,
                           uint64_t seed) {
  assert(!counts.empty() && counts.size() == shares.size());
  double left = 1.0;
  for (size_t source = 0; source < counts.size(); ++source) {
    orders_.emplace_back(counts[source], seed + source * kSeedStep);
    if (source + 1 < counts.size()) {
      const double share = std::clamp(shares[source] / left, 0.0, 1.0);
      shares_.push_back(std::clamp<int64_t>(std::llround(share * kOne), 1, kOne));
      left -= shares[source];
    }
  }
  const int64_t first_share = shares_.empty() ? kOne : shares_.front();
  draws_per_epoch_ = ((counts.front() - 1) * kOne) / first_share + 1;
}

Draw MixtureOrder::at(int64_t draw) const {
  for (size_t source = 0; source < shares_.size(); ++source) {
    const int64_t before = draws_of(shares_[source], draw);
    if (draws_of(shares_[source], draw + 1) > before) {
      return {.source = source, .index = orders_[source].at(before)};
    }
    draw -= before;
  }
  return {.source = shares_.size(), .index = orders_.back().at(draw)};
}

}  // namespace slayer
