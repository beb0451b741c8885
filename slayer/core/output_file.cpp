#include "slayer/core/output_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace slayer {
namespace fs = std::filesystem;
namespace {

/// Files below this are likely to be read again at once, from the cache.
constexpr uint64_t kDirectFrom = uint64_t{32} << 20U;
/// Shorter stretches are not worth a read of their own.
constexpr size_t kSmallestDirectRead = size_t{256} << 10U;
/// What the disk reads ahead of a copy through the cache.
constexpr uint64_t kReadAhead = uint64_t{16} << 20U;

}  // namespace

OutputFile::OutputFile(const fs::path& path)
    : path_(path),
      descriptor_(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) {
  if (descriptor_.get() < 0) {
    throw_system_error(path, "cannot create");
  }
}

void OutputFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    size_t count = buffered_part(bytes.size());
    if (count > 0) {
      write_buffered(bytes.first(count));
    } else {
      const std::span<std::byte> room = writer_->room();
      count = std::min(room.size(), bytes.size());
      std::memcpy(room.data(), bytes.data(), count);
      writer_->filled(count);
      size_ += count;
    }
    bytes = bytes.subspan(count);
  }
}

void OutputFile::write(std::string_view text) { write(std::as_bytes(std::span(text))); }

void OutputFile::copy_from(const MappedFile& source, uint64_t offset, uint64_t size) {
  while (size > 0) {
    if (const size_t buffered = buffered_part(size); buffered > 0) {
      source.prefetch(offset, kReadAhead);
      copy_buffered(source, offset, buffered);
      offset += buffered;
      size -= buffered;
    } else {
      return copy_direct(source, offset, size);
    }
  }
}

size_t OutputFile::buffered_part(uint64_t size) {
  if (writer_ != nullptr) {
    return 0;
  }
  if (!has_tried_direct_ && size_ == kDirectFrom && size > 0) {
    has_tried_direct_ = true;
    writer_ = DirectWriter::open(path_, size_);
    return writer_ != nullptr ? 0 : size;
  }
  return has_tried_direct_ ? size : std::min(size, kDirectFrom - size_);
}

void OutputFile::write_buffered(std::span<const std::byte> bytes) {
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

void OutputFile::copy_buffered(const MappedFile& source, uint64_t offset, uint64_t size) {
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
    write_buffered(
        source.bytes().subspan(static_cast<size_t>(position), static_cast<size_t>(end - position)));
    return;
  }
}

void OutputFile::copy_direct(const MappedFile& source, uint64_t offset, uint64_t size) {
  if (reader_ == nullptr) {
    reader_ = std::make_unique<DirectReader>();
  }
  while (size > 0) {
    const std::span<std::byte> room = writer_->room();
    const auto part = room.first(std::min<size_t>(room.size(), size));
    if (part.size() < kSmallestDirectRead || !reader_->read(source, offset, part)) {
      std::memcpy(part.data(), source.bytes().data() + offset, part.size());
      source.forget(offset, part.size());
    }
    writer_->filled(part.size());
    size_ += part.size();
    offset += part.size();
    size -= part.size();
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
  if (writer_ != nullptr) {
    writer_->finish();
    writer_.reset();
  }
  if (::fsync(descriptor_.get()) != 0) {
    throw_system_error(path_, "cannot sync");
  }
  descriptor_ = FileDescriptor(-1);
}

}  // namespace slayer
