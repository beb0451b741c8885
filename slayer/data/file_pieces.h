#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "slayer/data/byte_stream.h"

namespace slayer {

/// Reads a file, decompressed, in pieces and tells how far it came.
class FilePieces final {
 public:
  /// `on_bytes`, where given, is called with the bytes of the file consumed since the last call.
  FilePieces(const std::filesystem::path& file, const std::function<void(int64_t)>& on_bytes);

  /// Empty at the end; valid until the next call.
  std::string_view next();

 private:
  std::unique_ptr<ByteStream> stream_;
  const std::function<void(int64_t)>& on_bytes_;
  std::string buffer_;
  uint64_t told_ = 0;
};

/// @throws Error for a document or row that is too large to be one (1 GiB).
void require_document_size(const std::filesystem::path& file, size_t bytes);

/// @throws Error naming the byte of the file, `offset` and more, where `text` is not UTF-8.
void require_utf8(const std::filesystem::path& file, std::string_view text, uint64_t offset);

}  // namespace slayer
