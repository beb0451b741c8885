#pragma once

#include <filesystem>
#include <string>

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

/// Throws an Error with the path, what was tried ("cannot write") and errno's reason.
[[noreturn]] void throw_system_error(const std::filesystem::path& path, const std::string& action);

}  // namespace slayer
