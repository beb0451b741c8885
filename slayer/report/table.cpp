#include "slayer/report/table.h"

#include <algorithm>
#include <fmt/format.h>

namespace slayer {

std::string format_table(const std::vector<std::vector<std::string>>& rows, TableStyle style) {
  std::vector<size_t> widths(rows.front().size(), 3);
  for (const std::vector<std::string>& row : rows) {
    for (size_t column = 0; column < row.size(); ++column) {
      widths[column] = std::max(widths[column], row[column].size());
    }
  }
  const bool is_markdown = style == TableStyle::kMarkdown;
  const std::string between = is_markdown ? " | " : "  ";
  std::string text;
  for (size_t i = 0; i < rows.size(); ++i) {
    std::string line = is_markdown ? "| " : "";
    std::string rule = "|";
    for (size_t column = 0; column < widths.size(); ++column) {
      const std::string& cell = rows[i][column];
      line += column == 0 ? fmt::format("{:<{}}", cell, widths[column])
                          : fmt::format("{}{:>{}}", between, cell, widths[column]);
      rule += fmt::format(" {:-<{}}{} |", "", widths[column] - (column > 0), column > 0 ? ":" : "");
    }
    text += line + (is_markdown ? " |\n" : "\n");
    if (is_markdown && i == 0) {
      text += rule + "\n";
    }
  }
  return text;
}

}  // namespace slayer
