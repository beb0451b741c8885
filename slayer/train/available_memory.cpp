#include "slayer/train/available_memory.h"

#include <algorithm>
#include <fstream>
#include <string>

namespace slayer {
namespace {

std::optional<int64_t> number_in(const char* file) {
  std::ifstream stream(file);
  int64_t value = 0;
  return stream >> value ? std::optional(value) : std::nullopt;  // "max": no limit
}

/// The number behind a key at the beginning of a line.
std::optional<int64_t> number_behind(const char* file, const std::string& wanted) {
  std::ifstream lines(file);
  for (std::string key; lines >> key;) {
    int64_t value = 0;
    if (key == wanted && lines >> value) {
      return value;
    }
    lines.ignore(256, '\n');
  }
  return std::nullopt;
}

}  // namespace

std::optional<int64_t> available_memory() {
  std::optional<int64_t> memory = number_behind("/proc/meminfo", "MemAvailable:");
  if (memory) {
    *memory *= 1024;
  }
  const auto limit = number_in("/sys/fs/cgroup/memory.max");
  // What is not a cache: the kernel gives that back before it fails.
  const auto used = number_behind("/sys/fs/cgroup/memory.stat", "anon");
  if (limit && used) {
    const int64_t left = std::max<int64_t>(*limit - *used, 0);
    memory = memory ? std::min(*memory, left) : left;
  }
  return memory;
}

}  // namespace slayer
