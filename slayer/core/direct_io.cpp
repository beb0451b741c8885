#include "slayer/core/direct_io.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <new>
#include <string>
#include <unistd.h>
#include <utility>

namespace slayer {
namespace fs = std::filesystem;
namespace {

/// Two of them keep a disk busy; the speed stays the same with larger ones.
constexpr size_t kBufferBytes = size_t{8} << 20U;

/// Blocks that hold `size` bytes, in bytes.
size_t round_up(size_t size) {
  return (size + DirectBuffer::kBlock - 1) / DirectBuffer::kBlock * DirectBuffer::kBlock;
}

/// From here on through the cache.
void stop_direct(int descriptor) {
  ::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) & ~O_DIRECT);
}

void write_all(const fs::path& path, int descriptor, uint64_t offset, std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written =
        ::pwrite(descriptor, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINVAL && (::fcntl(descriptor, F_GETFL) & O_DIRECT) != 0) {
      stop_direct(descriptor);  // A file system, or a device, that wants other sizes.
    } else if (written < 0 && errno != EINTR) {
      throw_system_error(path, "cannot write");
    } else if (written > 0) {
      offset += static_cast<uint64_t>(written);
      bytes = bytes.subspan(static_cast<size_t>(written));
    }
  }
}

}  // namespace

DirectBuffer::DirectBuffer(size_t size)
    : size_(size), data_(static_cast<std::byte*>(std::aligned_alloc(kBlock, size))) {
  if (data_ == nullptr) {
    throw std::bad_alloc();
  }
}

void DirectBuffer::Free::operator()(std::byte* data) const { std::free(data); }

std::unique_ptr<DirectWriter> DirectWriter::open(const fs::path& path, uint64_t offset) {
  FileDescriptor descriptor(::open(path.c_str(), O_WRONLY | O_DIRECT | O_CLOEXEC));
  if (descriptor.get() < 0) {
    return nullptr;
  }
  return std::make_unique<DirectWriter>(path, std::move(descriptor), offset);
}

DirectWriter::DirectWriter(fs::path path, FileDescriptor descriptor, uint64_t offset)
    : path_(std::move(path)),
      descriptor_(std::move(descriptor)),
      offset_(offset),
      filling_(kBufferBytes),
      being_written_(kBufferBytes) {}

// A write under way needs its buffer.
DirectWriter::~DirectWriter() {
  if (pending_.valid()) {
    pending_.wait();
  }
}

std::span<std::byte> DirectWriter::room() {
  if (used_ == kBufferBytes) {
    start_write();
  }
  return filling_.bytes().subspan(used_);
}

void DirectWriter::start_write() {
  if (pending_.valid()) {
    pending_.get();
  }
  std::swap(filling_, being_written_);
  const auto bytes = being_written_.bytes().first(used_);
  pending_ = std::async(std::launch::async, [this, offset = offset_, bytes] {
    write_all(path_, descriptor_.get(), offset, bytes);
  });
  offset_ += used_;
  used_ = 0;
}

void DirectWriter::finish() {
  const size_t tail = used_ % DirectBuffer::kBlock;
  const auto rest = filling_.bytes().subspan(used_ - tail, tail);
  used_ -= tail;
  start_write();
  pending_.get();
  // Less than a block: only the cache takes that.
  stop_direct(descriptor_.get());
  write_all(path_, descriptor_.get(), offset_, rest);
}

DirectReader::DirectReader() : buffer_(kBufferBytes + 2 * DirectBuffer::kBlock) {}

bool DirectReader::read(const MappedFile& file, uint64_t offset, std::span<std::byte> bytes) {
  if (file.is_cached(offset, bytes.size())) {
    return false;
  }
  // The very file that is mapped, whatever its path leads to by now.
  const std::string path = "/proc/self/fd/" + std::to_string(file.descriptor());
  const FileDescriptor descriptor(::open(path.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC));
  const size_t skipped = offset % DirectBuffer::kBlock;
  const size_t wanted = skipped + bytes.size();
  size_t done = 0;
  while (done < wanted) {
    const auto rest = buffer_.bytes().subspan(done).first(round_up(wanted - done));
    const ssize_t count = ::pread(
        descriptor.get(), rest.data(), rest.size(), static_cast<off_t>(offset - skipped + done));
    if (count < 0 && errno == EINTR) {
      continue;
    }
    // Through the mapping then; it also says what is wrong with the disk. A part of a block comes
    // only at the end of a file.
    done += static_cast<size_t>(std::max<ssize_t>(count, 0));
    if (count <= 0 || (done < wanted && done % DirectBuffer::kBlock != 0)) {
      return false;
    }
  }
  std::memcpy(bytes.data(), buffer_.bytes().data() + skipped, bytes.size());
  return true;
}

}  // namespace slayer
