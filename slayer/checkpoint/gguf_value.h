#pragma once

#include <cstdint>
#include <string_view>
#include <variant>
#include <vector>

namespace slayer {

/// One value of a GGUF's metadata. Integers of every width are widened; float32 stays apart from
/// float64, since a float32's shortest decimal is what its author wrote. Text points into the
/// mapped file.
struct GgufValue {
  using Array = std::vector<GgufValue>;
  std::variant<int64_t, uint64_t, float, double, bool, std::string_view, Array> data;
};

}  // namespace slayer
