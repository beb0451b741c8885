#include "slayer/data/documents.h"

#include <algorithm>
#include <fmt/format.h>
#include <glob.h>
#include <memory>
#include <string_view>
#include <system_error>

#include "slayer/core/error.h"
#include "slayer/core/json.h"
#include "slayer/data/file_pieces.h"
#include "slayer/data/row_stream.h"

namespace slayer {
namespace fs = std::filesystem;
namespace {

bool is_hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

/// Of the files in a folder. A .json there is more often about the data than data.
bool is_data(const fs::path& file) {
  const FileKind kind = kind_of(file);
  return kind != FileKind::kUnknown && kind != FileKind::kJsonArray;
}

std::vector<fs::path> files_below(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  fs::recursive_directory_iterator entry(folder, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    if (is_hidden(entry->path())) {
      entry.disable_recursion_pending();
    } else if (entry->is_regular_file(error) && is_data(entry->path())) {
      files.push_back(entry->path());
    }
  }
  if (error) {
    throw Error({.file = folder.string(), .item = "cannot list", .found = error.message()});
  }
  return files;
}

std::vector<fs::path> matches_of(const std::string& pattern) {
  glob_t found{};
  const std::unique_ptr<glob_t, void (*)(glob_t*)> owner(&found, ::globfree);
  std::vector<fs::path> paths;
  if (::glob(pattern.c_str(), 0, nullptr, &found) == 0) {
    for (size_t i = 0; i < found.gl_pathc; ++i) {
      paths.emplace_back(found.gl_pathv[i]);
    }
  }
  return paths;
}

std::vector<fs::path> files_of(const std::string& pattern) {
  std::vector<fs::path> files;
  const bool is_glob = !fs::exists(pattern);
  for (const fs::path& path : is_glob ? matches_of(pattern) : std::vector<fs::path>{pattern}) {
    if (fs::is_directory(path)) {
      const std::vector<fs::path> below = files_below(path);
      files.insert(files.end(), below.begin(), below.end());
    } else if (kind_of(path) != FileKind::kUnknown) {
      files.push_back(path);
    } else if (!is_glob) {
      throw Error(
          {.file = path.string(),
           .found = fmt::format("file name ending in \"{}\"", path.extension().string()),
           .expected = ".txt, .jsonl, .json or .csv, each also with .gz or .zst, or .parquet"});
    }
  }
  if (files.empty()) {
    throw Error({.file = pattern,
                 .found = fs::exists(pattern) ? "no documents" : "nothing there",
                 .expected =
                     "a .txt, .jsonl, .json, .csv (each also .gz, .zst) or .parquet file, a "
                     "folder of them or a glob"});
  }
  std::ranges::sort(files);
  return files;
}

void read_text(const fs::path& file,
               const std::function<void(Document)>& on_document,
               const std::function<void(int64_t)>& on_bytes) {
  FilePieces pieces(file, on_bytes);
  Document document;
  for (std::string_view piece = pieces.next(); !piece.empty(); piece = pieces.next()) {
    document.text += piece;
    require_document_size(file, document.text.size());
  }
  require_utf8(file, document.text, /*offset=*/0);
  if (!document.text.empty()) {
    on_document(std::move(document));
  }
}

/// A row's document, if it has one.
void read_row(const Json& row,
              const std::string& where,
              const DocumentSource& source,
              int64_t number,
              const std::function<void(Document)>& on_document) {
  if (source.format != DocumentFormat::kText) {
    on_document({.conversation = conversation_of(row, source.format, where), .line = number});
    return;
  }
  std::string text = JsonObject(row, where).string(source.text_field);
  if (!text.empty()) {
    on_document({.text = std::move(text), .line = number});
  }
}

}  // namespace

std::vector<fs::path> find_document_files(const std::vector<std::string>& patterns) {
  std::vector<fs::path> files;
  for (const std::string& pattern : patterns) {
    const std::vector<fs::path> found = files_of(pattern);
    files.insert(files.end(), found.begin(), found.end());
  }
  return files;
}

void read_documents(const fs::path& file,
                    const DocumentSource& source,
                    const std::function<void(Document)>& on_document,
                    const std::function<void(int64_t)>& on_bytes) {
  if (kind_of(file) == FileKind::kText) {
    if (source.format != DocumentFormat::kText) {
      throw Error({.file = file.string(),
                   .found = "a text file",
                   .expected = fmt::format("rows of {}", name_of(source.format)),
                   .hint = "--format text?"});
    }
    read_text(file, on_document, on_bytes);
    return;
  }
  stream_rows(
      file,
      [&](const Json& row, int64_t number) {
        const std::string where = fmt::format("{}:{}", file.string(), number);
        read_row(row, where, source, number, on_document);
      },
      on_bytes);
}

std::vector<Document> read_texts(const std::vector<std::string>& patterns,
                                 const std::string& text_field) {
  std::vector<Document> documents;
  for (const fs::path& file : find_document_files(patterns)) {
    read_documents(file, {.text_field = text_field}, [&](Document document) {
      documents.push_back(std::move(document));
    });
  }
  return documents;
}

}  // namespace slayer
