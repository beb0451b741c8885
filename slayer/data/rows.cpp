#include "slayer/data/rows.h"

#include <array>
#include <fmt/format.h>

#include "slayer/core/error.h"
#include "slayer/data/byte_stream.h"
#include "slayer/data/parquet.h"

namespace slayer {
namespace {

constexpr size_t kChunk = size_t{1} << 16U;

std::vector<Json> read_jsonl(const std::filesystem::path& path) {
  std::string text;
  const auto stream = open_byte_stream(path);
  std::array<char, kChunk> buffer;
  while (const size_t size = stream->read(buffer)) {
    text.append(buffer.data(), size);
  }
  std::vector<Json> rows;
  int64_t line_number = 0;
  for (size_t begin = 0; begin < text.size(); ++line_number) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    begin = end + 1;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) {
      continue;
    }
    const std::string place = fmt::format("{}: line {}", path.string(), line_number + 1);
    rows.push_back(parse_json(line, place));
    if (!rows.back().is_object()) {
      throw Error({.file = place, .found = printable(line), .expected = "a JSON object"});
    }
  }
  return rows;
}

}  // namespace

std::vector<Json> read_rows(const std::filesystem::path& path) {
  return path.extension() == ".parquet" ? read_parquet(path) : read_jsonl(path);
}

}  // namespace slayer
