#include "slayer/data/file_pieces.h"

#include <fmt/format.h>

#include "slayer/core/error.h"
#include "slayer/core/utf8.h"

namespace slayer {
namespace {

constexpr size_t kReadBytes = size_t{1} << 18U;
/// A document is held in memory whole; more than this is a mistake or a decompression bomb.
constexpr size_t kLargestDocumentBytes = size_t{1} << 30U;

}  // namespace

FilePieces::FilePieces(const std::filesystem::path& file,
                       const std::function<void(int64_t)>& on_bytes)
    : stream_(open_byte_stream(file)), on_bytes_(on_bytes), buffer_(kReadBytes, '\0') {}

std::string_view FilePieces::next() {
  const size_t count = stream_->read(buffer_);
  const uint64_t position = stream_->position();
  if (on_bytes_) {
    on_bytes_(static_cast<int64_t>(position - told_));
  }
  told_ = position;
  return std::string_view(buffer_).substr(0, count);
}

void require_document_size(const std::filesystem::path& file, size_t bytes) {
  if (bytes > kLargestDocumentBytes) {
    throw Error({.file = file.string(),
                 .found = "a document of more than 1 GiB",
                 .expected = "documents that fit in memory"});
  }
}

void require_utf8(const std::filesystem::path& file, std::string_view text, uint64_t offset) {
  if (const size_t valid = valid_utf8_prefix(text); valid < text.size()) {
    throw Error({.file = file.string(),
                 .item = fmt::format("byte {}", offset + valid),
                 .found = fmt::format("0x{:02x}", static_cast<uint8_t>(text[valid])),
                 .expected = "UTF-8 text",
                 .hint = "convert it: iconv -f LATIN1 -t UTF-8"});
  }
}

}  // namespace slayer
