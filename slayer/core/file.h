#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace slayer {

/// The whole file. @throws Error naming the path; also when larger than `limit` bytes.
std::string read_text_file(const std::filesystem::path& path, uint64_t limit = uint64_t{1} << 32U);

/// Writes `text` to `path` so that a reader, or a machine that loses power, sees the old file or
/// the whole new one: a `.partial` beside it, synced, renamed. Creates missing parent folders.
void write_text_file(const std::filesystem::path& path, std::string_view text);

/// Makes a folder and those above it. @throws Error where it cannot.
void create_folders(const std::filesystem::path& folder);

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
