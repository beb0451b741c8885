#include "slayer/recipe/machine.h"

#include <torch/headeronly/version.h>

#include <fstream>
#include <string>
#include <sys/utsname.h>
#include <thread>

#include "slayer/core/version.h"

namespace slayer {
namespace {

/// What stands after "NAME" and ':' in a file of /proc; empty where there is no such line.
std::string proc_value(const char* file, const std::string& name) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    const size_t colon = line.find(':');
    if (line.starts_with(name) && colon != std::string::npos) {
      const size_t begin = line.find_first_not_of(" \t", colon + 1);
      return begin == std::string::npos ? "" : line.substr(begin);
    }
  }
  return "";
}

/// Of a line in kB.
int64_t proc_bytes(const char* file, const std::string& name) {
  const std::string value = proc_value(file, name);
  return value.empty() ? 0 : 1024 * std::stoll(value);
}

}  // namespace

Json describe_machine() {
  utsname system{};
  uname(&system);
  return {{"slayer", version()},
          {"libtorch", TORCH_VERSION},
          {"compiler", __VERSION__},
          {"system", std::string(system.sysname) + " " + system.release + " " + system.machine},
          {"processor", proc_value("/proc/cpuinfo", "model name")},
          {"cores", std::thread::hardware_concurrency()},
          {"memory_bytes", total_memory()}};
}

int64_t peak_memory() { return proc_bytes("/proc/self/status", "VmHWM"); }

// Source: proc(5), clear_refs: 5 resets the peak.
void reset_peak_memory() { std::ofstream("/proc/self/clear_refs") << "5"; }

int64_t total_memory() {
  const int64_t memory = proc_bytes("/proc/meminfo", "MemTotal");
  int64_t limit = 0;  // Of a container; "max" where there is none.
  std::ifstream("/sys/fs/cgroup/memory.max") >> limit;
  return limit > 0 && (memory == 0 || limit < memory) ? limit : memory;
}

}  // namespace slayer
