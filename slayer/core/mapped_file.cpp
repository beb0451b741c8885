#include "slayer/core/mapped_file.h"

#include <algorithm>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "slayer/core/error.h"

namespace slayer {
namespace fs = std::filesystem;

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

bool MappedFile::is_cached(uint64_t offset, uint64_t size) const {
  const auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  const uint64_t begin = offset / page * page;
  std::vector<unsigned char> pages((offset + size - begin + page - 1) / page);
  if (pages.empty() ||
      ::mincore(const_cast<std::byte*>(data_) + begin, offset + size - begin, pages.data()) != 0) {
    return false;
  }
  const auto cached = std::ranges::count_if(pages, [](unsigned char flags) { return flags & 1U; });
  return 2 * static_cast<size_t>(cached) > pages.size();
}

void MappedFile::forget(uint64_t offset, uint64_t size) const {
  const auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  const uint64_t begin = (offset + page - 1) / page * page;
  const uint64_t end = std::min<uint64_t>(offset + size, size_) / page * page;
  if (begin < end) {
    ::madvise(const_cast<std::byte*>(data_) + begin, end - begin, MADV_DONTNEED);
  }
}

}  // namespace slayer
