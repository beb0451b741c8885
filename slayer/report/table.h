#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace slayer {

enum class TableStyle : uint8_t {
  kTerminal,  ///< Columns two spaces apart.
  kMarkdown
};

/// Rows of equal length, the first one the heading. Columns after the first stand at the right.
std::string format_table(const std::vector<std::vector<std::string>>& rows, TableStyle style);

}  // namespace slayer
