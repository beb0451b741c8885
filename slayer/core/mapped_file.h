#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

#include "slayer/core/file_descriptor.h"

namespace slayer {

/// Opens a regular file for reading. @throws Error naming the path and the system's reason, also
/// where it is a folder, a pipe or a device.
FileDescriptor open_for_reading(const std::filesystem::path& path);

/// A file mapped read-only into memory. Its bytes are hostile until checked.
class MappedFile final {
 public:
  /// @throws Error naming the path when it cannot be opened or mapped. An empty file maps to an
  /// empty span.
  explicit MappedFile(const std::filesystem::path& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  const std::filesystem::path& path() const { return path_; }
  std::span<const std::byte> bytes() const { return {data_, size_}; }
  int descriptor() const { return descriptor_.get(); }

  /// Asks the kernel to begin reading these bytes from the disk; what lies beyond the end is cut.
  void prefetch(uint64_t offset, uint64_t size) const;

  /// Whether most of these bytes lie in memory.
  bool is_cached(uint64_t offset, uint64_t size) const;

  /// Tells the kernel that these bytes were read and need not stay in memory: keeps the resident
  /// size of a streaming job at a few chunks.
  void forget(uint64_t offset, uint64_t size) const;

 private:
  void unmap() noexcept;

  std::filesystem::path path_;
  FileDescriptor descriptor_;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace slayer
