#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace slayer {

/// An open file descriptor, closed at the end of its life.
class FileDescriptor final {
 public:
  explicit FileDescriptor(int descriptor) : descriptor_(descriptor) {}
  FileDescriptor(FileDescriptor&& other) noexcept;
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  ~FileDescriptor();

  int get() const { return descriptor_; }

 private:
  int descriptor_ = -1;
};

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

/// A file being written, front to back. `close` makes it durable; a file that is destroyed before
/// is left as it is, for whoever owns its folder to remove.
class OutputFile final {
 public:
  /// Creates or truncates `path`. @throws Error naming the path and the system's reason.
  explicit OutputFile(const std::filesystem::path& path);

  /// @throws Error with the path and the reason, e.g. "No space left on device".
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);

  /// Appends `size` bytes of `source` from `offset`, inside the kernel where the file system can
  /// (copy_file_range, which shares extents on file systems with reflinks).
  void copy_from(const MappedFile& source, uint64_t offset, uint64_t size);

  /// Flushes to the disk and closes.
  void close();

  const std::filesystem::path& path() const { return path_; }
  uint64_t size() const { return size_; }

 private:
  void start_writeback();

  std::filesystem::path path_;
  FileDescriptor descriptor_;
  uint64_t size_ = 0;
  uint64_t given_to_disk_ = 0;
};

/// The whole file. @throws Error naming the path; also when larger than `limit` bytes.
std::string read_text_file(const std::filesystem::path& path, uint64_t limit = uint64_t{1} << 32U);

/// Writes `text` to `path` so that a reader, or a machine that loses power, sees the old file or
/// the whole new one: a `.partial` beside it, synced, renamed. Creates missing parent folders.
void write_text_file(const std::filesystem::path& path, std::string_view text);

/// Makes a rename or a new file in `folder` durable.
void sync_folder(const std::filesystem::path& folder);

/// @throws Error saying how much is needed and how much is free, when the file system of `folder`
/// has no room for `bytes` more. A file system that does not tell passes.
void require_free_space(const std::filesystem::path& folder, uint64_t bytes);

/// A folder that appears under its final name only when whole: write into `path()` (FINAL.partial),
/// then `commit()`. Destroyed without commit, it removes what was written.
class StagedFolder final {
 public:
  /// A leftover FINAL.partial of a killed run is removed.
  /// @throws Error when FINAL exists and `force` is false, or the parent cannot be written.
  StagedFolder(std::filesystem::path final_path, bool force);
  StagedFolder(const StagedFolder&) = delete;
  StagedFolder& operator=(const StagedFolder&) = delete;
  ~StagedFolder();

  const std::filesystem::path& path() const { return partial_; }

  /// Syncs every file, then renames; with `force` an existing FINAL is replaced, at one stroke
  /// where the file system can exchange two names.
  void commit();

 private:
  std::filesystem::path final_;
  std::filesystem::path partial_;
  bool is_committed_ = false;
};

/// A file that appears under its final name only when whole: write to `path()` (FINAL.partial),
/// close it, then `commit()`. Destroyed without commit, it removes what was written.
class StagedFile final {
 public:
  /// @throws Error when FINAL exists and `force` is false.
  StagedFile(std::filesystem::path final_path, bool force);
  StagedFile(const StagedFile&) = delete;
  StagedFile& operator=(const StagedFile&) = delete;
  ~StagedFile();

  const std::filesystem::path& path() const { return partial_; }

  /// Renames; with `force` an existing FINAL is replaced.
  void commit();

 private:
  std::filesystem::path final_;
  std::filesystem::path partial_;
  bool is_committed_ = false;
};

/// @throws Error "exists, expected a new path (--force replaces it)" when `path` exists.
void require_new_path(const std::filesystem::path& path, bool force);

}  // namespace slayer
