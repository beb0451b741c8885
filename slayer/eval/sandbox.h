#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace slayer {

enum class SandboxKind : uint8_t {
  kBubblewrap,  ///< Namespaces of its own through bubblewrap, and all of kRlimits.
  kRlimits      ///< Resource limits, and Landlock and seccomp where the kernel has them.
};

/// "bubblewrap" or "rlimits". @throws Error for another name.
SandboxKind sandbox_kind_from_name(const std::string& name);

/// What became of a program.
struct ProgramResult {
  bool has_passed = false;  ///< It came to its end without an exception.
  std::string outcome;  ///< "passed", "failed: NameError: ...", "timed out", "killed by signal 9".
  std::string output;   ///< Standard output.
};

/// Runs Python programs that nobody has read: a model's. Each runs as a process that sees neither
/// the network, nor files but Python's own, nor this process's environment, descriptors and memory;
/// that cannot start processes; whose time, memory and output are limited; and that is killed with
/// all that it may have started when it ends or its time is up. See confine.h and confine_main.cpp.
class Sandbox final {
 public:
  /// Tries the sandbox out.
  /// @throws Error when kBubblewrap is not installed or the system forbids it, naming what
  /// kRlimits would be without; when no Python runs inside; when slayer-confine is not beside the
  /// executable.
  explicit Sandbox(SandboxKind kind);
  Sandbox(const Sandbox&) = delete;
  Sandbox& operator=(const Sandbox&) = delete;
  ~Sandbox();

  /// Runs a program as exec() would: `__name__` is not "__main__". Any exception fails it,
  /// SystemExit too. Threads may call this at the same time.
  /// @throws Error when the system has no room for another process or file.
  ProgramResult run(const std::string& program, double seconds) const;

  /// As `run`, several at a time; results in the order of the programs.
  std::vector<ProgramResult> run_all(const std::vector<std::string>& programs,
                                     double seconds) const;

  /// What the programs are not kept from, in words; empty where nothing is missing.
  const std::vector<std::string>& missing() const { return missing_; }

  int landlock() const { return landlock_; }  ///< Its version; 0: none.
  bool has_seccomp() const { return has_seccomp_; }

 private:
  std::vector<std::string> command(const std::filesystem::path& program, double seconds) const;
  void probe();
  void choose_python();

  SandboxKind kind_;
  std::filesystem::path folder_;  ///< Of slayer-confine's copy and the programs.
  std::filesystem::path confine_;
  std::string python_;
  std::vector<std::string> readable_;
  int landlock_ = 0;
  bool has_seccomp_ = false;
  std::vector<std::string> missing_;
  mutable std::atomic<int64_t> programs_ = 0;
};

}  // namespace slayer
