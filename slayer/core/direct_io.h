#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <future>
#include <memory>
#include <span>

#include "slayer/core/file_descriptor.h"
#include "slayer/core/mapped_file.h"

namespace slayer {

/// Bytes of memory as O_DIRECT wants them: begin and size are multiples of a block.
class DirectBuffer final {
 public:
  static constexpr size_t kBlock = 4096;  ///< No device in use wants more.

  /// `size` must be a multiple of kBlock.
  explicit DirectBuffer(size_t size);

  std::span<std::byte> bytes() const { return {data_.get(), size_}; }

 private:
  struct Free {
    void operator()(std::byte* data) const;
  };

  size_t size_;
  std::unique_ptr<std::byte, Free> data_;
};

/// Appends to a file past the page cache: one thread writes a buffer while the caller fills the
/// other. A copy through the cache spends most of its time in the kernel's own copying.
class DirectWriter final {
 public:
  /// Goes on writing `path` at `offset`, a multiple of DirectBuffer::kBlock.
  /// Null where the file system has no O_DIRECT.
  static std::unique_ptr<DirectWriter> open(const std::filesystem::path& path, uint64_t offset);

  DirectWriter(std::filesystem::path path, FileDescriptor descriptor, uint64_t offset);
  DirectWriter(const DirectWriter&) = delete;
  DirectWriter& operator=(const DirectWriter&) = delete;
  ~DirectWriter();

  /// Where the next bytes go, at least one; then say with `filled` how many they were.
  /// @throws Error with the path and the reason, of this write or the one before.
  std::span<std::byte> room();
  void filled(size_t size) { used_ += size; }

  /// Writes what is left. Nothing may follow.
  void finish();

 private:
  void start_write();

  std::filesystem::path path_;
  FileDescriptor descriptor_;
  uint64_t offset_;
  DirectBuffer filling_;
  DirectBuffer being_written_;
  size_t used_ = 0;  ///< Bytes of filling_.
  std::future<void> pending_;
};

/// Reads parts of files past the page cache.
class DirectReader final {
 public:
  DirectReader();

  /// False, and nothing read, where the file system cannot or the part lies in the cache already.
  /// @throws Error naming the file and the reason.
  bool read(const MappedFile& file, uint64_t offset, std::span<std::byte> bytes);

 private:
  DirectBuffer buffer_;
};

}  // namespace slayer
