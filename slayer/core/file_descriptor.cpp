#include "slayer/core/file_descriptor.h"

#include <cerrno>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "slayer/core/error.h"

namespace slayer {

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

void throw_system_error(const std::filesystem::path& path, const std::string& action) {
  throw Error(
      {.file = path.string(), .item = action, .found = std::generic_category().message(errno)});
}

}  // namespace slayer
