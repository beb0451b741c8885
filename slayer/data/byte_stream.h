#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

namespace slayer {

/// A file's content front to back, decompressed where its name ends in .gz or .zst.
class ByteStream {
 public:
  ByteStream() = default;
  ByteStream(const ByteStream&) = delete;
  ByteStream& operator=(const ByteStream&) = delete;
  virtual ~ByteStream() = default;

  /// Fills the front of `buffer`; returns how many bytes came, 0 only at the end.
  /// @throws Error naming the file when it cannot be read, or its compressed data are corrupt or
  /// cut off.
  virtual size_t read(std::span<char> buffer) = 0;

  /// Bytes of the file itself that were consumed so far, for a progress bar.
  virtual uint64_t position() const = 0;
};

/// @throws Error naming the path when it cannot be opened.
std::unique_ptr<ByteStream> open_byte_stream(const std::filesystem::path& path);

}  // namespace slayer
