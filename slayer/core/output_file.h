#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>

#include "slayer/core/direct_io.h"
#include "slayer/core/file_descriptor.h"
#include "slayer/core/mapped_file.h"

namespace slayer {

/// A file being written, front to back; a large one past the page cache where the file system can.
/// `close` makes it durable; a file that is destroyed before is left as it is, for whoever owns its
/// folder to remove.
class OutputFile final {
 public:
  /// Creates or truncates `path`. @throws Error naming the path and the system's reason.
  explicit OutputFile(const std::filesystem::path& path);

  /// @throws Error with the path and the reason, e.g. "No space left on device".
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);

  /// Appends `size` bytes of `source` from `offset`.
  void copy_from(const MappedFile& source, uint64_t offset, uint64_t size);

  /// Flushes to the disk and closes.
  void close();

  const std::filesystem::path& path() const { return path_; }
  uint64_t size() const { return size_; }

 private:
  /// How many of `size` further bytes still go through the page cache.
  size_t buffered_part(uint64_t size);
  void write_buffered(std::span<const std::byte> bytes);
  void copy_buffered(const MappedFile& source, uint64_t offset, uint64_t size);
  void copy_direct(const MappedFile& source, uint64_t offset, uint64_t size);
  void start_writeback();

  std::filesystem::path path_;
  FileDescriptor descriptor_;
  uint64_t size_ = 0;
  uint64_t given_to_disk_ = 0;
  bool has_tried_direct_ = false;
  std::unique_ptr<DirectWriter> writer_;  ///< Once the file is large.
  std::unique_ptr<DirectReader> reader_;
};

}  // namespace slayer
