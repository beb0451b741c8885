#include "slayer/core/journal.h"

#include <string>
#include <utility>

#include "slayer/core/error.h"
#include "slayer/core/file.h"

namespace slayer {

std::vector<Json> read_journal(const std::filesystem::path& path) {
  std::vector<Json> lines;
  std::ifstream stream(path);
  for (std::string line; std::getline(stream, line) && !stream.eof();) {
    Json json = parse_journal_line(line);
    if (json.is_null()) {
      break;
    }
    lines.push_back(std::move(json));
  }
  return lines;
}

std::ofstream begin_journal(const std::filesystem::path& path, const std::vector<Json>& lines) {
  std::string text;
  for (const Json& line : lines) {
    text += compact_text(line) + '\n';
  }
  write_text_file(path, text);
  return std::ofstream(path, std::ios::binary | std::ios::app);
}

void append_to_journal(std::ofstream& journal,
                       const std::filesystem::path& path,
                       const Json& line) {
  journal << compact_text(line) << '\n' << std::flush;
  if (!journal) {
    throw Error({.file = path.string(),
                 .found = "a write that failed",
                 .expected = "room for what was measured"});
  }
}

}  // namespace slayer
