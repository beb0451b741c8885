#include "slayer/data/row_stream.h"

#include <fmt/format.h>
#include <string>

#include "slayer/core/error.h"
#include "slayer/data/csv.h"
#include "slayer/data/file_pieces.h"
#include "slayer/data/parquet.h"

namespace slayer {
namespace fs = std::filesystem;
namespace {

std::string place(const fs::path& file, int64_t row) {
  return fmt::format("{}:{}", file.string(), row);
}

void stream_json_lines(const fs::path& file,
                       const OnRow& on_row,
                       const std::function<void(int64_t)>& on_bytes) {
  FilePieces pieces(file, on_bytes);
  std::string line;
  int64_t number = 0;
  uint64_t offset = 0;  // of the line in the decompressed file
  const auto finish_line = [&] {
    require_utf8(file, line, offset);
    ++number;
    if (line.find_first_not_of(" \t\r") != std::string::npos) {
      on_row(parse_json(line, place(file, number)), number);
    }
    offset += line.size() + 1;
    line.clear();
  };
  for (std::string_view piece = pieces.next(); !piece.empty(); piece = pieces.next()) {
    for (size_t end = piece.find('\n'); end != std::string_view::npos; end = piece.find('\n')) {
      line += piece.substr(0, end);
      piece.remove_prefix(end + 1);
      finish_line();
    }
    line += piece;
    require_document_size(file, line.size());
  }
  finish_line();
}

void stream_json_array(const fs::path& file,
                       const OnRow& on_row,
                       const std::function<void(int64_t)>& on_bytes) {
  FilePieces pieces(file, on_bytes);
  std::string text;
  for (std::string_view piece = pieces.next(); !piece.empty(); piece = pieces.next()) {
    text += piece;
    require_document_size(file, text.size());
  }
  require_utf8(file, text, /*offset=*/0);
  Json rows = parse_json(text, file.string());
  if (!rows.is_array()) {
    throw Error({.file = file.string(),
                 .found = rows.type_name(),
                 .expected = "a list of objects",
                 .hint = "one object a line belongs in a .jsonl"});
  }
  int64_t number = 0;
  for (Json& row : rows) {
    on_row(std::move(row), ++number);
  }
}

void stream_csv(const fs::path& file,
                const OnRow& on_row,
                const std::function<void(int64_t)>& on_bytes) {
  std::vector<std::string> header;
  int64_t number = 0;
  read_csv(
      file,
      [&](std::vector<std::string> fields) {
        if (header.empty()) {
          header = std::move(fields);
          return;
        }
        ++number;
        if (fields.size() != header.size()) {
          throw Error({.file = place(file, number),
                       .found = fmt::format("{} fields", fields.size()),
                       .expected = fmt::format("{}, as in the header", header.size())});
        }
        Json row = Json::object();
        for (size_t i = 0; i < fields.size(); ++i) {
          row[header[i]] = std::move(fields[i]);
        }
        on_row(std::move(row), number);
      },
      on_bytes);
}

}  // namespace

FileKind kind_of(const fs::path& file) {
  fs::path bare = file;
  if (bare.extension() == ".parquet") {
    return FileKind::kParquet;
  }
  if (bare.extension() == ".gz" || bare.extension() == ".zst") {
    bare.replace_extension();
  }
  const fs::path ending = bare.extension();
  return ending == ".txt"     ? FileKind::kText
         : ending == ".jsonl" ? FileKind::kJsonLines
         : ending == ".json"  ? FileKind::kJsonArray
         : ending == ".csv"   ? FileKind::kCsv
                              : FileKind::kUnknown;
}

void stream_rows(const fs::path& file,
                 const OnRow& on_row,
                 const std::function<void(int64_t)>& on_bytes) {
  switch (kind_of(file)) {
    case FileKind::kParquet:
      stream_parquet(file, on_row, on_bytes);
      break;
    case FileKind::kCsv:
      stream_csv(file, on_row, on_bytes);
      break;
    case FileKind::kJsonArray:
      stream_json_array(file, on_row, on_bytes);
      break;
    default:
      stream_json_lines(file, on_row, on_bytes);
  }
}

}  // namespace slayer
