#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace slayer {

/// Offset of the first byte that is not part of a well-formed UTF-8 character; empty when all of
/// `text` is valid. Source: The Unicode Standard 15.0, table 3-7.
std::optional<size_t> find_invalid_utf8(std::string_view text);

}  // namespace slayer
