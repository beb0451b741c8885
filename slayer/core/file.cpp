#include "slayer/core/file.h"

#include <cstdio>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "slayer/core/error.h"
#include "slayer/core/mapped_file.h"
#include "slayer/core/output_file.h"
#include "slayer/core/progress.h"

namespace slayer {
namespace fs = std::filesystem;
namespace {

fs::path with_suffix(fs::path path, std::string_view suffix) {
  if (!path.has_filename()) {
    path = path.parent_path();  // "out/" is "out"
  }
  path += suffix;
  return path;
}

void sync_path(const fs::path& path, int flags) {
  const FileDescriptor descriptor(::open(path.c_str(), flags | O_CLOEXEC));
  if (descriptor.get() < 0 || ::fsync(descriptor.get()) != 0) {
    throw_system_error(path, "cannot sync");
  }
}

void remove_tree(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) {
    throw Error({.file = path.string(), .item = "cannot remove", .found = error.message()});
  }
}

void rename_path(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) {
    throw_system_error(to, "cannot rename " + from.string());
  }
}

/// Swaps two existing paths at one stroke; false where one is missing or the file system cannot.
bool exchange_paths(const fs::path& a, const fs::path& b) {
  return ::renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE) == 0;
}

fs::path parent_of(const fs::path& path) {
  const fs::path parent = path.parent_path();
  return parent.empty() ? fs::path(".") : parent;
}

}  // namespace

void create_folders(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) {
    throw Error(
        {.file = folder.string(), .item = "cannot create folder", .found = error.message()});
  }
}

std::string read_text_file(const fs::path& path, uint64_t limit) {
  const MappedFile file(path);
  if (file.bytes().size() > limit) {
    throw Error({.file = path.string(),
                 .item = "size",
                 .found = std::to_string(file.bytes().size()) + " bytes",
                 .expected = "at most " + std::to_string(limit)});
  }
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

void write_text_file(const fs::path& path, std::string_view text) {
  create_folders(parent_of(path));
  StagedFile staged(path, /*force=*/true);
  OutputFile file(staged.path());
  file.write(text);
  file.close();
  staged.commit();
}

void sync_folder(const fs::path& folder) { sync_path(folder, O_RDONLY | O_DIRECTORY); }

void require_new_path(const fs::path& path, bool force) {
  if (!force && fs::exists(fs::symlink_status(path))) {
    throw Error({.file = path.string(),
                 .found = "an existing path",
                 .expected = "a new one",
                 .hint = "--force replaces it"});
  }
}

StagedFile::StagedFile(fs::path final_path, bool force)
    : final_(std::move(final_path)), partial_(with_suffix(final_, ".partial")) {
  require_new_path(final_, force);
}

StagedFile::~StagedFile() {
  if (!is_committed_) {
    std::error_code ignored;
    fs::remove(partial_, ignored);
  }
}

void StagedFile::commit() {
  rename_path(partial_, final_);
  is_committed_ = true;
  sync_folder(parent_of(final_));
}

StagedFolder::StagedFolder(fs::path final_path, bool force)
    : final_(with_suffix(std::move(final_path), "")), partial_(with_suffix(final_, ".partial")) {
  require_new_path(final_, force);
  remove_tree(partial_);
  create_folders(partial_);
}

StagedFolder::~StagedFolder() {
  if (!is_committed_) {
    std::error_code ignored;
    fs::remove_all(partial_, ignored);
  }
}

void StagedFolder::commit() {
  for (const auto& entry : fs::recursive_directory_iterator(partial_)) {
    if (!entry.is_symlink()) {
      sync_path(entry.path(), entry.is_directory() ? O_RDONLY | O_DIRECTORY : O_RDONLY);
    }
  }
  sync_folder(partial_);
  if (exchange_paths(partial_, final_)) {
    is_committed_ = true;
    sync_folder(parent_of(final_));
    remove_tree(partial_);  // what FINAL was
    return;
  }
  const fs::path replaced = with_suffix(final_, ".replaced");
  remove_tree(replaced);
  if (fs::exists(fs::symlink_status(final_))) {
    rename_path(final_, replaced);
  }
  rename_path(partial_, final_);
  is_committed_ = true;
  sync_folder(parent_of(final_));
  remove_tree(replaced);
}

void require_free_space(const fs::path& folder, uint64_t bytes) {
  struct statvfs status{};
  if (::statvfs(folder.c_str(), &status) != 0 || status.f_blocks == 0) {
    return;
  }
  const uint64_t available = uint64_t{status.f_bavail} * status.f_frsize;
  if (bytes > available) {
    throw Error({.file = folder.string(),
                 .item = "free space",
                 .found = format_bytes(static_cast<double>(available)),
                 .expected = "at least " + format_bytes(static_cast<double>(bytes))});
  }
}

}  // namespace slayer
