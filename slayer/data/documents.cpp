#include "slayer/data/documents.h"

#include <algorithm>
#include <fmt/format.h>
#include <glob.h>
#include <memory>
#include <string_view>
#include <system_error>

#include "slayer/core/error.h"
#include "slayer/core/json.h"
#include "slayer/data/byte_stream.h"
#include "slayer/core/utf8.h"

namespace slayer {
namespace fs = std::filesystem;
namespace {

constexpr size_t kReadBytes = size_t{1} << 18U;
/// A document is held in memory whole; more than this is a mistake or a decompression bomb.
constexpr size_t kLargestDocumentBytes = size_t{1} << 30U;

enum class Kind : uint8_t { kUnknown, kText, kJsonLines };

Kind kind_of(fs::path file) {
  if (file.extension() == ".gz" || file.extension() == ".zst") {
    file.replace_extension();
  }
  return file.extension() == ".txt"     ? Kind::kText
         : file.extension() == ".jsonl" ? Kind::kJsonLines
                                        : Kind::kUnknown;
}

bool is_hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

std::vector<fs::path> files_below(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  fs::recursive_directory_iterator entry(folder, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    if (is_hidden(entry->path())) {
      entry.disable_recursion_pending();
    } else if (entry->is_regular_file(error) && kind_of(entry->path()) != Kind::kUnknown) {
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
    } else if (kind_of(path) != Kind::kUnknown) {
      files.push_back(path);
    } else if (!is_glob) {
      throw Error({.file = path.string(),
                   .found = fmt::format("file name ending in \"{}\"", path.extension().string()),
                   .expected = ".txt or .jsonl, or one of these with .gz or .zst"});
    }
  }
  if (files.empty()) {
    throw Error({.file = pattern,
                 .found = fs::exists(pattern) ? "no documents" : "nothing there",
                 .expected = "a .txt or .jsonl file (also .gz, .zst), a folder of them or a glob"});
  }
  std::ranges::sort(files);
  return files;
}

/// Reads a stream in pieces and tells how far it came.
class Pieces final {
 public:
  Pieces(const fs::path& file, const std::function<void(int64_t)>& on_bytes)
      : stream_(open_byte_stream(file)), on_bytes_(on_bytes), buffer_(kReadBytes, '\0') {}

  /// Empty at the end; valid until the next call.
  std::string_view next() {
    const size_t count = stream_->read(buffer_);
    const uint64_t position = stream_->position();
    if (on_bytes_) {
      on_bytes_(static_cast<int64_t>(position - told_));
    }
    told_ = position;
    return std::string_view(buffer_).substr(0, count);
  }

 private:
  std::unique_ptr<ByteStream> stream_;
  const std::function<void(int64_t)>& on_bytes_;
  std::string buffer_;
  uint64_t told_ = 0;
};

void require_size(const fs::path& file, size_t bytes) {
  if (bytes > kLargestDocumentBytes) {
    throw Error({.file = file.string(),
                 .found = "a document of more than 1 GiB",
                 .expected = "documents that fit in memory"});
  }
}

void require_utf8(const fs::path& file, std::string_view text, uint64_t offset) {
  if (const size_t valid = valid_utf8_prefix(text); valid < text.size()) {
    throw Error({.file = file.string(),
                 .item = fmt::format("byte {}", offset + valid),
                 .found = fmt::format("0x{:02x}", static_cast<uint8_t>(text[valid])),
                 .expected = "UTF-8 text",
                 .hint = "convert it: iconv -f LATIN1 -t UTF-8"});
  }
}

void read_text(const fs::path& file,
               const std::function<void(Document)>& on_document,
               const std::function<void(int64_t)>& on_bytes) {
  Pieces pieces(file, on_bytes);
  Document document;
  for (std::string_view piece = pieces.next(); !piece.empty(); piece = pieces.next()) {
    document.text += piece;
    require_size(file, document.text.size());
  }
  require_utf8(file, document.text, /*offset=*/0);
  if (!document.text.empty()) {
    on_document(std::move(document));
  }
}

/// One line of a .jsonl: gives its document out, if it has one.
void read_line(const fs::path& file,
               std::string_view line,
               int64_t number,
               const std::string& text_field,
               const std::function<void(Document)>& on_document) {
  if (line.find_first_not_of(" \t\r") == std::string_view::npos) {
    return;
  }
  const std::string where = fmt::format("{}:{}", file.string(), number);
  const Json json = parse_json(line, where);
  std::string text = JsonObject(json, where).string(text_field);
  if (!text.empty()) {
    on_document({.text = std::move(text), .line = number});
  }
}

void read_json_lines(const fs::path& file,
                     const std::string& text_field,
                     const std::function<void(Document)>& on_document,
                     const std::function<void(int64_t)>& on_bytes) {
  Pieces pieces(file, on_bytes);
  std::string line;
  int64_t number = 0;
  uint64_t offset = 0;  // of the line in the decompressed file
  const auto finish_line = [&] {
    require_utf8(file, line, offset);
    read_line(file, line, ++number, text_field, on_document);
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
    require_size(file, line.size());
  }
  finish_line();
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
                    const std::string& text_field,
                    const std::function<void(Document)>& on_document,
                    const std::function<void(int64_t)>& on_bytes) {
  if (kind_of(file) == Kind::kJsonLines) {
    read_json_lines(file, text_field, on_document, on_bytes);
  } else {
    read_text(file, on_document, on_bytes);
  }
}

}  // namespace slayer
