#include "slayer/eval/sandbox.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fstream>
#include <future>
#include <sstream>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include "slayer/core/error.h"
#include "slayer/eval/child_process.h"

namespace slayer {
namespace fs = std::filesystem;
namespace {

constexpr size_t kOutputLimit = size_t{1} << 20U;
constexpr uint64_t kMemory = uint64_t{1} << 30U;
constexpr uint64_t kFileSize = uint64_t{16} << 20U;
constexpr uint64_t kTmpSize = uint64_t{64} << 20U;
constexpr uint64_t kProcesses = 256;
constexpr std::chrono::milliseconds kGrace{5000};  ///< For a busy machine to start and end things.
constexpr size_t kMostAtATime = 4;

/// Executes the program and says by its exit code that the end was reached: a program that calls
/// sys.exit(0) has not passed its tests.
constexpr int kReachedEnd = 77;
constexpr std::string_view kRunner = R"(
import os, sys
with open(sys.argv[1], encoding="utf-8", newline="") as file:
    program = file.read()
try:
    exec(compile(program, "program.py", "exec"), {})
    sys.stdout.flush()
except BaseException as error:
    try:
        print("".join(f"{type(error).__name__}: {error}".splitlines()[:1])[:200], file=sys.stderr)
        sys.stderr.flush()
    finally:
        os._exit(1)
os._exit(77)
)";

/// What a system's programs and libraries need; some are links on some systems.
constexpr std::array kSystem{"/usr",
                             "/bin",
                             "/lib",
                             "/lib32",
                             "/lib64",
                             "/etc/ld.so.cache",
                             "/etc/localtime",
                             "/etc/alternatives"};

std::string find_in_path(const std::string& name) {
  const char* const path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "/usr/bin:/bin" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    const fs::path candidate = fs::path(folder) / name;
    if (::access(candidate.c_str(), X_OK) == 0) {
      return candidate.string();
    }
  }
  return "";
}

fs::path confine_beside_this_executable() {
  std::error_code unknown;
  const fs::path confine =
      fs::read_symlink("/proc/self/exe", unknown).parent_path() / "slayer-confine";
  if (!fs::exists(confine)) {
    throw Error({.file = confine.string(),
                 .found = "nothing",
                 .expected = "the program of the same build that confines others"});
  }
  return confine;
}

fs::path make_folder() {
  std::string path = (fs::temp_directory_path() / "slayer-sandbox-XXXXXX").string();
  if (::mkdtemp(path.data()) == nullptr) {
    throw Error({.file = path, .item = "cannot create folder", .found = std::strerror(errno)});
  }
  // Programs run as nobody where root started slayer.
  fs::permissions(path, fs::perms(0755));
  return path;
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

/// bubblewrap passes a signal on as a shell does: 128 more.
std::string as_signal(const std::string& status) {
  const int code = std::atoi(status.substr(status.find(' ') + 1).c_str());
  return status.starts_with("exit ") && code > 128 ? fmt::format("signal {}", code - 128) : status;
}

ProgramResult judge(const ChildOutput& child, double seconds) {
  ProgramResult result{.has_passed = false, .outcome = {}, .output = child.out};
  const std::string status = as_signal(child.status);
  if (child.has_exceeded_limit) {
    result.outcome = fmt::format("failed: more than {} bytes of output", kOutputLimit);
  } else if (status == fmt::format("exit {}", kReachedEnd)) {
    result.has_passed = true;
    result.outcome = "passed";
  } else if (status.starts_with("exit ")) {
    const std::string reason = first_line(child.err);
    result.outcome = "failed: " + (reason.empty() ? "it ended before its end (" + status + ")"
                                                  : printable(reason, 200));
  } else if (status.starts_with("signal ")) {
    result.outcome = "failed: killed by " + status;
  } else {
    result.outcome = status == "timeout" ? fmt::format("failed: timed out after {} s", seconds)
                                         : "failed: the sandbox came to an end itself";
  }
  return result;
}

/// Whole: an empty program would end without a complaint, and count as right.
void write_program(const fs::path& file, const std::string& program) {
  std::ofstream stream(file, std::ios::binary);
  stream << program;
  stream.close();
  if (!stream) {
    throw Error({.file = file.string(),
                 .found = "no room for a program to run",
                 .expected = "a few kilobytes in the folder for temporary files"});
  }
}

}  // namespace

SandboxKind sandbox_kind_from_name(const std::string& name) {
  if (name == "bubblewrap") {
    return SandboxKind::kBubblewrap;
  }
  if (name == "rlimits") {
    return SandboxKind::kRlimits;
  }
  throw Error({.item = "--sandbox", .found = printable(name), .expected = "bubblewrap or rlimits"});
}

Sandbox::Sandbox(SandboxKind kind) : kind_(kind), folder_(make_folder()) {
  try {
    confine_ = folder_ / "slayer-confine";
    fs::copy_file(confine_beside_this_executable(), confine_);
    fs::permissions(confine_, fs::perms(0755));
    probe();
    choose_python();
  } catch (...) {
    fs::remove_all(folder_);
    throw;
  }
}

Sandbox::~Sandbox() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

void Sandbox::probe() {
  const ChildOutput probed = run_child({confine_.string(), "probe"}, kGrace, kOutputLimit);
  int seccomp = 0;
  if (std::sscanf(probed.out.c_str(), "landlock %d seccomp %d", &landlock_, &seccomp) != 2) {
    throw Error({.file = confine_.string(),
                 .found = printable(probed.out + probed.err),
                 .expected = "what the kernel offers",
                 .hint = "is the folder for temporary files mounted noexec?"});
  }
  has_seccomp_ = seccomp == 1;
  if (kind_ == SandboxKind::kRlimits) {
    missing_.emplace_back("processes, network and files of its own (namespaces)");
  }
  if (landlock_ == 0) {
    missing_.emplace_back("files kept from it (Landlock)");
  }
  if (!has_seccomp_) {
    missing_.emplace_back("no new processes, no sockets, no signals (seccomp)");
  }
}

void Sandbox::choose_python() {
  std::vector<std::string> candidates{"/usr/bin/python3"};
  if (const std::string other = find_in_path("python3"); !other.empty()) {
    candidates.push_back(other);
  }
  const bool has_namespaces = kind_ == SandboxKind::kBubblewrap;
  std::string reason =
      has_namespaces && find_in_path("bwrap").empty() ? "bwrap is not in PATH" : "";
  for (const std::string& candidate : candidates) {
    if (!reason.empty() || ::access(candidate.c_str(), X_OK) != 0) {
      continue;
    }
    const ChildOutput asked = run_child(
        {candidate,
         "-c",
         "import os, sys; print(os.path.realpath(sys.executable)); print(sys.base_prefix)"},
        kGrace,
        kOutputLimit);
    std::istringstream lines(asked.out);
    std::string prefix;
    std::getline(lines, python_);
    std::getline(lines, prefix);
    readable_.assign(kSystem.begin(), kSystem.end());
    if (!prefix.empty() && !prefix.starts_with("/usr")) {
      readable_.push_back(prefix);
    }
    const ProgramResult tried = run("pass", /*seconds=*/10.0);
    if (tried.has_passed) {
      return;
    }
    reason = tried.outcome;
  }
  if (!has_namespaces) {
    throw Error({.item = "programs",
                 .found = reason.empty() ? "no python3" : printable(reason, 200),
                 .expected = "a python3 that runs in the sandbox"});
  }
  std::vector<std::string> without = missing_;
  without.insert(without.begin(), "processes, network and files of its own (namespaces)");
  throw Error(
      {.item = "--sandbox bubblewrap",
       .found = printable(reason, 200),
       .expected = "bubblewrap, and namespaces permitted",
       .hint = fmt::format("--sandbox rlimits goes on without: {}", fmt::join(without, "; "))});
}

std::vector<std::string> Sandbox::command(const fs::path& program, double seconds) const {
  std::vector<std::string> words{
      confine_.string(), "supervise", fmt::format("{:.0f}", seconds * 1000.0)};
  const auto add = [&words](std::initializer_list<std::string> more) {
    words.insert(words.end(), more.begin(), more.end());
  };
  const bool has_namespaces = kind_ == SandboxKind::kBubblewrap;
  std::string confine = confine_.string();
  std::string source = program.string();
  if (has_namespaces) {
    add({find_in_path("bwrap"),
         "--unshare-all",
         "--unshare-user",
         "--uid",
         "65534",
         "--gid",
         "65534",
         "--die-with-parent",
         "--new-session",
         "--cap-drop",
         "ALL",
         "--clearenv",
         "--setenv",
         "PATH",
         "/usr/local/bin:/usr/bin:/bin"});
    for (const std::string& path : readable_) {
      if (fs::is_symlink(path)) {
        add({"--symlink", fs::read_symlink(path).string(), path});
      } else {
        add({"--ro-bind-try", path, path});
      }
    }
    add({"--ro-bind",
         confine,
         "/sandbox/slayer-confine",
         "--ro-bind",
         source,
         "/sandbox/program.py",
         "--proc",
         "/proc",
         "--dev",
         "/dev",
         "--size",
         std::to_string(kTmpSize),
         "--tmpfs",
         "/tmp",
         "--remount-ro",
         "/",
         "--chdir",
         "/tmp",
         "--"});
    confine = "/sandbox/slayer-confine";
    source = "/sandbox/program.py";
  }
  add({confine,
       "enter",
       fmt::format("{:.0f}", std::ceil(seconds) + 1.0),
       std::to_string(kMemory),
       std::to_string(kFileSize),
       std::to_string(kProcesses),
       has_namespaces ? "/tmp" : ""});
  words.insert(words.end(), readable_.begin(), readable_.end());
  add({source, "--", python_, "-s", "-B", "-c", std::string(kRunner), source});
  return words;
}

ProgramResult Sandbox::run(const std::string& program, double seconds) const {
  const fs::path file = folder_ / fmt::format("program-{}.py", programs_++);
  write_program(file, program);
  fs::permissions(file, fs::perms(0644));
  const auto patience = std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000.0)) + kGrace;
  const ChildOutput child = run_child(command(file, seconds), patience, kOutputLimit);
  fs::remove(file);
  return judge(child, seconds);
}

std::vector<ProgramResult> Sandbox::run_all(const std::vector<std::string>& programs,
                                            double seconds) const {
  std::vector<ProgramResult> results(programs.size());
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    for (size_t index = next++; index < programs.size(); index = next++) {
      results[index] = run(programs[index], seconds);
    }
  };
  const size_t workers = std::min(
      {kMostAtATime, programs.size(), size_t{std::max(1U, std::thread::hardware_concurrency())}});
  std::vector<std::future<void>> others;
  for (size_t worker = 1; worker < workers; ++worker) {
    others.push_back(std::async(std::launch::async, work));
  }
  work();
  std::ranges::for_each(others, &std::future<void>::get);
  return results;
}

}  // namespace slayer
