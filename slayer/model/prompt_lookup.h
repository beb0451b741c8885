#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace slayer {

/// What followed the last three tokens where they stood before: a guess at what follows now, which
/// a model checks in one pass (prompt lookup decoding: speculative decoding, arXiv 2211.17192, with
/// the text itself as the draft model). Right where a text repeats itself or quotes its prompt.
/// @return at most `limit` tokens; none where the three did not stand before.
std::vector<int32_t> look_up_draft(std::span<const int32_t> tokens, size_t limit);

}  // namespace slayer
