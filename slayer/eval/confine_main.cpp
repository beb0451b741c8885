// slayer-confine: runs one untrusted program for slayer::Sandbox. A process of its own, so that
// nothing of slayer's memory, descriptors and threads is near the program.
//
//   slayer-confine probe
//       what this kernel offers, as "landlock VERSION seccomp 0|1"
//   slayer-confine supervise MILLISECONDS COMMAND...
//       runs the command with its whole process tree under a time limit, as nobody where started by
//       root; what became of it goes to descriptor 3: "exit N", "signal N" or "timeout"
//   slayer-confine enter CPU_SECONDS MEMORY FILE_SIZE PROCESSES WRITABLE READABLE... -- COMMAND...
//       confines itself, then executes the command

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <exception>
#include <fcntl.h>
#include <grp.h>
#include <string>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "slayer/eval/confine.h"

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kStatusDescriptor = 3;
constexpr int kSetupFailed = 125;  ///< As env(1) and timeout(1) say it.

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "slayer-confine: %s: %s\n", what.c_str(), std::strerror(errno));
  std::_Exit(kSetupFailed);
}

void close_from(int first) { ::close_range(static_cast<unsigned>(first), ~0U, 0); }

/// Nothing of the environment reaches the program but this.
[[noreturn]] void execute(char* const* command) {
  char path[] = "PATH=/usr/local/bin:/usr/bin:/bin";
  char locale[] = "LANG=C.UTF-8";
  char hash_seed[] = "PYTHONHASHSEED=0";  // The same program does the same again.
  char* const environment[] = {path, locale, hash_seed, nullptr};
  ::execvpe(command[0], command, environment);
  die(command[0]);
}

/// Root's limits do not bind and its files are all open: as nobody both are as for any user.
void drop_root() {
  constexpr uid_t kNobody = 65534;
  if (::geteuid() == 0 &&
      (::setgroups(0, nullptr) != 0 || ::setresgid(kNobody, kNobody, kNobody) != 0 ||
       ::setresuid(kNobody, kNobody, kNobody) != 0)) {
    die("cannot become nobody");
  }
}

/// Processes whose parent is this one, orphans that it adopted among them.
std::vector<pid_t> children() {
  std::vector<pid_t> found;
  DIR* const folder = ::opendir("/proc");
  if (folder == nullptr) {
    return found;
  }
  while (const dirent* const entry = ::readdir(folder)) {
    const auto pid = static_cast<pid_t>(std::strtol(entry->d_name, nullptr, 10));
    if (pid <= 0) {
      continue;
    }
    const std::string path = std::string("/proc/") + entry->d_name + "/stat";
    if (std::FILE* const file = std::fopen(path.c_str(), "re")) {
      char line[512] = {};
      const size_t size = std::fread(line, 1, sizeof(line) - 1, file);
      std::fclose(file);
      // "PID (NAME) STATE PARENT ..."; a name may hold parentheses.
      const char* const name_end = size > 0 ? std::strrchr(line, ')') : nullptr;
      if (name_end != nullptr && std::strtol(name_end + 4, nullptr, 10) == ::getpid()) {
        found.push_back(pid);
      }
    }
  }
  ::closedir(folder);
  return found;
}

/// Kills the tree below: the group at once, then whoever has come to be a child of this process,
/// its reaper, until none is left.
void kill_tree(pid_t group) {
  const auto deadline = Clock::now() + std::chrono::seconds(5);
  ::kill(-group, SIGKILL);
  while (Clock::now() < deadline) {
    for (const pid_t child : children()) {
      ::kill(child, SIGKILL);
    }
    pid_t reaped = 0;
    while ((reaped = ::waitpid(-1, nullptr, WNOHANG)) > 0) {
    }
    if (reaped < 0) {
      return;
    }
    ::usleep(1000);
  }
}

int supervise(std::chrono::milliseconds patience, char* const* command) {
  close_from(kStatusDescriptor + 1);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGCHLD);
  sigaddset(&signals, SIGTERM);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  drop_root();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);  // After the change of user, which clears it.
  const pid_t self = ::getpid();
  const pid_t program = ::fork();
  if (program < 0) {
    die("fork");
  }
  if (program == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (::getppid() != self) {
      std::_Exit(kSetupFailed);
    }
    ::setpgid(0, 0);
    sigprocmask(SIG_UNBLOCK, &signals, nullptr);
    close_from(kStatusDescriptor);
    execute(command);
  }
  ::setpgid(program, program);

  const auto deadline = Clock::now() + patience;
  int status = 0;
  bool has_ended = false;
  bool is_told_to_stop = false;
  while (!has_ended && !is_told_to_stop) {
    pid_t reaped = 0;
    while ((reaped = ::waitpid(-1, &status, WNOHANG)) > 0 && reaped != program) {
    }
    has_ended = reaped == program;
    const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(deadline - Clock::now());
    if (has_ended || left.count() <= 0) {
      break;
    }
    const timespec wait{.tv_sec = left.count() / 1'000'000'000,
                        .tv_nsec = left.count() % 1'000'000'000};
    is_told_to_stop = sigtimedwait(&signals, nullptr, &wait) == SIGTERM;
  }
  kill_tree(program);
  if (has_ended) {
    const bool has_exited = WIFEXITED(status);
    ::dprintf(kStatusDescriptor,
              "%s %d",
              has_exited ? "exit" : "signal",
              has_exited ? WEXITSTATUS(status) : WTERMSIG(status));
  } else {
    ::dprintf(kStatusDescriptor, "timeout");
  }
  return 0;
}

int enter(const std::vector<char*>& arguments) {
  constexpr size_t kLimits = 5;
  const auto separator = std::ranges::find_if(
      arguments, [](const char* argument) { return std::strcmp(argument, "--") == 0; });
  if (separator - arguments.begin() < static_cast<std::ptrdiff_t>(kLimits) ||
      arguments.end() - separator < 2) {
    errno = EINVAL;
    die("enter");
  }
  const auto number = [&](size_t index) { return std::strtoull(arguments[index], nullptr, 10); };
  close_from(kStatusDescriptor);
  try {
    slayer::confine({.readable = {arguments.begin() + kLimits, separator},
                     .writable = arguments[4],
                     .cpu_seconds = number(0),
                     .memory_bytes = number(1),
                     .file_bytes = number(2),
                     .processes = number(3)});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "slayer-confine: %s\n", error.what());
    return kSetupFailed;
  }
  std::vector<char*> command(separator + 1, arguments.end());
  command.push_back(nullptr);
  execute(command.data());
}

}  // namespace

int main(int count, char** values) {
  const std::vector<char*> arguments(values, values + count);
  const std::string role = count > 1 ? arguments[1] : "";
  if (role == "probe") {
    std::printf("landlock %d seccomp %d\n",
                slayer::landlock_version(),
                slayer::has_system_call_filter() ? 1 : 0);
    return 0;
  }
  if (role == "supervise" && count > 3) {
    return supervise(std::chrono::milliseconds(std::strtoll(arguments[2], nullptr, 10)),
                     values + 3);
  }
  if (role == "enter") {
    return enter({arguments.begin() + 2, arguments.end()});
  }
  std::fprintf(stderr, "slayer-confine is run by slayer eval --allow-code-execution\n");
  return kSetupFailed;
}
