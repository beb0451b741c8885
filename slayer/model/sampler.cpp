#include "slayer/model/sampler.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <fmt/format.h>

#include "slayer/core/error.h"

namespace slayer {
namespace {

using Candidate = std::pair<float, int32_t>;

bool is_more_likely(const Candidate& left, const Candidate& right) {
  return left.first > right.first || (left.first == right.first && left.second < right.second);
}

std::mt19937_64 seeded(uint64_t seed, uint64_t stream) {
  std::seed_seq sequence{static_cast<uint32_t>(seed),
                         static_cast<uint32_t>(seed >> 32U),
                         static_cast<uint32_t>(stream),
                         static_cast<uint32_t>(stream >> 32U)};
  return std::mt19937_64(sequence);
}

}  // namespace

void validate(const SamplingOptions& options) {
  if (!(options.temperature >= 0.0) || std::isinf(options.temperature)) {
    throw Error({.file = "--temperature",
                 .found = fmt::format("{}", options.temperature),
                 .expected = "a number from 0 (always the most likely token) up"});
  }
  if (options.top_k < 0) {
    throw Error({.file = "--top-k",
                 .found = fmt::format("{}", options.top_k),
                 .expected = "an integer from 0 (all tokens) up"});
  }
  if (!(options.top_p > 0.0 && options.top_p <= 1.0)) {
    throw Error({.file = "--top-p",
                 .found = fmt::format("{}", options.top_p),
                 .expected = "a number above 0 and at most 1"});
  }
}

Sampler::Sampler(const SamplingOptions& options, uint64_t stream)
    : options_(options), random_(seeded(options.seed, stream)) {}

double Sampler::uniform() {
  // std::uniform_real_distribution may differ between standard libraries; 53 bits do not.
  return static_cast<double>(random_() >> 11U) * 0x1p-53;
}

int32_t Sampler::sample(std::span<const float> logits) {
  assert(!logits.empty());
  if (options_.temperature == 0.0) {
    return static_cast<int32_t>(std::ranges::max_element(logits) - logits.begin());
  }
  candidates_.clear();
  for (int32_t token = 0; const float logit : logits) {
    candidates_.emplace_back(logit, token++);
  }
  const auto k = static_cast<size_t>(options_.top_k);
  if (k > 0 && k < candidates_.size()) {
    const auto end = candidates_.begin() + options_.top_k;
    std::ranges::nth_element(candidates_, end, is_more_likely);
    candidates_.resize(k);
  }
  if (options_.top_p < 1.0) {
    std::ranges::sort(candidates_, is_more_likely);
  }
  const double largest = std::ranges::min_element(candidates_, is_more_likely)->first;
  const auto weight = [&](const Candidate& candidate) {
    return std::exp((candidate.first - largest) / options_.temperature);
  };
  double total = 0.0;
  for (const Candidate& candidate : candidates_) {
    total += weight(candidate);
  }
  if (options_.top_p < 1.0) {
    const double wanted = options_.top_p * total;
    total = 0.0;
    size_t kept = 0;
    while (kept < candidates_.size() && total < wanted) {
      total += weight(candidates_[kept++]);
    }
    candidates_.resize(kept);
  }
  double left = uniform() * total;
  for (const Candidate& candidate : candidates_) {
    left -= weight(candidate);
    if (left < 0.0) {
      return candidate.second;
    }
  }
  return candidates_.back().second;  // Rounding can leave a crumb of `left`.
}

}  // namespace slayer
