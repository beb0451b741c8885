#include "slayer/model/prompt_lookup.h"

#include <algorithm>

namespace slayer {

std::vector<int32_t> look_up_draft(std::span<const int32_t> tokens, size_t limit) {
  constexpr size_t kKey = 3;  // Shorter ones stand in many places, and what follows differs.
  if (tokens.size() <= kKey) {
    return {};
  }
  const auto key = tokens.last(kKey);
  const auto before = tokens.first(tokens.size() - 1);
  const auto latest = std::ranges::find_end(before, key);
  if (latest.empty()) {
    return {};
  }
  const auto follows = std::span(latest.end(), tokens.end());
  const auto draft = follows.first(std::min(limit, follows.size()));
  return {draft.begin(), draft.end()};
}

}  // namespace slayer
