#include "slayer/core/file.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "slayer/core/error.h"
#include "slayer/core/progress.h"

namespace slayer {
namespace fs = std::filesystem;
namespace {

[[noreturn]] void throw_system_error(const fs::path& path, const std::string& action) {
  throw Error(
      {.file = path.string(), .item = action, .found = std::generic_category().message(errno)});
}

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

void create_folders(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) {
    throw Error(
        {.file = folder.string(), .item = "cannot create folder", .found = error.message()});
  }
}

}  // namespace

FileDescriptor::FileDescriptor(FileDescriptor&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

FileDescriptor::~FileDescriptor() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
  }
}

FileDescriptor open_for_reading(const fs::path& path) {
  // O_NONBLOCK: opening a pipe that someone passed as a checkpoint must fail, not wait.
  FileDescriptor descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (descriptor.get() < 0) {
    throw_system_error(path, "cannot open");
  }
  struct stat status{};
  if (::fstat(descriptor.get(), &status) != 0) {
    throw_system_error(path, "cannot read its status");
  }
  if (!S_ISREG(status.st_mode)) {
    throw Error({.file = path.string(),
                 .found = S_ISDIR(status.st_mode) ? "a folder" : "a special file",
                 .expected = "a regular file"});
  }
  return descriptor;
}

MappedFile::MappedFile(const fs::path& path) : path_(path), descriptor_(open_for_reading(path)) {
  struct stat status{};
  if (::fstat(descriptor_.get(), &status) != 0) {
    throw_system_error(path, "cannot read its status");
  }
  size_ = static_cast<size_t>(status.st_size);
  if (size_ == 0) {
    return;
  }
  void* address = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, descriptor_.get(), 0);
  if (address == MAP_FAILED) {
    throw_system_error(path, "cannot map");
  }
  data_ = static_cast<const std::byte*>(address);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(std::move(other.descriptor_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  if (this != &other) {
    unmap();
    path_ = std::move(other.path_);
    descriptor_ = std::move(other.descriptor_);
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

MappedFile::~MappedFile() { unmap(); }

void MappedFile::unmap() noexcept {
  if (data_ != nullptr) {
    ::munmap(const_cast<std::byte*>(data_), size_);
    data_ = nullptr;
  }
}

void MappedFile::prefetch(uint64_t offset, uint64_t size) const {
  const auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  const uint64_t begin = offset / page * page;
  const uint64_t end = std::min<uint64_t>(offset + size, size_);
  if (begin < end) {
    ::madvise(const_cast<std::byte*>(data_) + begin, end - begin, MADV_WILLNEED);
  }
}

void MappedFile::forget(uint64_t offset, uint64_t size) const {
  const auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  const uint64_t begin = (offset + page - 1) / page * page;
  const uint64_t end = std::min<uint64_t>(offset + size, size_) / page * page;
  if (begin < end) {
    ::madvise(const_cast<std::byte*>(data_) + begin, end - begin, MADV_DONTNEED);
  }
}

OutputFile::OutputFile(const fs::path& path)
    : path_(path),
      descriptor_(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) {
  if (descriptor_.get() < 0) {
    throw_system_error(path, "cannot create");
  }
}

void OutputFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_.get(), bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) {
        continue;
      }
      throw_system_error(path_, "cannot write");
    }
    size_ += static_cast<uint64_t>(written);
    bytes = bytes.subspan(static_cast<size_t>(written));
    start_writeback();
  }
}

void OutputFile::write(std::string_view text) { write(std::as_bytes(std::span(text))); }

void OutputFile::copy_from(const MappedFile& source, uint64_t offset, uint64_t size) {
  auto position = static_cast<loff_t>(offset);
  const auto end = static_cast<loff_t>(offset + size);
  while (position < end) {
    const ssize_t copied = ::copy_file_range(source.descriptor(),
                                             &position,
                                             descriptor_.get(),
                                             nullptr,
                                             static_cast<size_t>(end - position),
                                             0);
    if (copied > 0) {
      size_ += static_cast<uint64_t>(copied);
      start_writeback();
      continue;
    }
    if (copied < 0 && errno == EINTR) {
      continue;
    }
    if (copied < 0 && (errno == ENOSPC || errno == EIO || errno == EFBIG || errno == EDQUOT)) {
      throw_system_error(path_, "cannot write");
    }
    // Across file systems, or where the kernel cannot: through the mapping.
    write(
        source.bytes().subspan(static_cast<size_t>(position), static_cast<size_t>(end - position)));
    return;
  }
}

void OutputFile::start_writeback() {
  // The disk works while the next bytes are made, and the sync at the end finds little to do.
  constexpr uint64_t kStretch = uint64_t{32} << 20U;
  if (size_ - given_to_disk_ >= kStretch) {
    ::sync_file_range(descriptor_.get(),
                      static_cast<off64_t>(given_to_disk_),
                      static_cast<off64_t>(size_ - given_to_disk_),
                      SYNC_FILE_RANGE_WRITE);
    given_to_disk_ = size_;
  }
}

void OutputFile::close() {
  if (::fsync(descriptor_.get()) != 0) {
    throw_system_error(path_, "cannot sync");
  }
  descriptor_ = FileDescriptor(-1);
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
