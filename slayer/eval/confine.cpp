#include "slayer/eval/confine.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <linux/landlock.h>
#include <memory>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <system_error>
#include <unistd.h>

namespace slayer {
namespace {

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

/// Reads the kernel's uapi/linux/landlock.h as of version 6; older headers lack the last two.
struct RulesetAttributes {
  uint64_t handled_access_fs;
  uint64_t handled_access_net;
  uint64_t scoped;
};

constexpr uint64_t kExecute = LANDLOCK_ACCESS_FS_EXECUTE;
constexpr uint64_t kWriteFile = LANDLOCK_ACCESS_FS_WRITE_FILE;
constexpr uint64_t kReadFile = LANDLOCK_ACCESS_FS_READ_FILE;
constexpr uint64_t kReadFolder = LANDLOCK_ACCESS_FS_READ_DIR;
constexpr uint64_t kTruncate = uint64_t{1} << 14U;  // From version 3 on.

/// All rights over files that this version knows: bits 0 to 12, then one with each new version.
uint64_t file_rights(int version) {
  constexpr std::array<unsigned, 6> kBitsOfVersion{0, 13, 14, 15, 15, 16};
  const auto known = static_cast<size_t>(version < 5 ? version : 5);
  return (uint64_t{1} << kBitsOfVersion[known]) - 1;
}

uint64_t network_rights(int version) { return version >= 4 ? 3 : 0; }  // TCP bind and connect.
uint64_t scopes(int version) { return version >= 6 ? 3 : 0; }          // Abstract sockets, signals.

/// Allows `rights` on a path and what is below; a path that is not there needs no rule.
void allow(int ruleset, const std::string& path, uint64_t rights) {
  const int descriptor = ::open(path.c_str(), O_PATH | O_CLOEXEC);
  if (descriptor < 0) {
    return;
  }
  struct stat status{};
  if (::fstat(descriptor, &status) == 0 && !S_ISDIR(status.st_mode)) {
    rights &= kExecute | kReadFile | kWriteFile | kTruncate;
  }
  const landlock_path_beneath_attr rule{.allowed_access = rights, .parent_fd = descriptor};
  const int64_t result =
      ::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
  ::close(descriptor);
  if (result != 0) {
    fail("landlock_add_rule");
  }
}

void restrict_files(const Confinement& confinement, int version) {
  const uint64_t all = file_rights(version);
  const RulesetAttributes attributes{.handled_access_fs = all,
                                     .handled_access_net = network_rights(version),
                                     .scoped = scopes(version)};
  const auto ruleset =
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0));
  if (ruleset < 0) {
    fail("landlock_create_ruleset");
  }
  for (const std::string& path : confinement.readable) {
    allow(ruleset, path, kExecute | kReadFile | kReadFolder);
  }
  allow(ruleset, "/dev/null", (kReadFile | kWriteFile | kTruncate) & all);
  allow(ruleset, "/dev/urandom", kReadFile);
  if (!confinement.writable.empty()) {
    allow(ruleset, confinement.writable, all & ~kExecute);
  }
  if (::syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) {
    fail("landlock_restrict_self");
  }
  ::close(ruleset);
}

/// Calls that no program of a benchmark needs. Names that this libseccomp or machine does not know
/// are passed over: what they name is not there either.
constexpr std::array kForbidden{// New processes; threads go through clone, see below.
                                "fork",
                                "vfork",
                                "setsid",
                                "setpgid",
                                // Signals to others, and others' memory.
                                "kill",
                                "tkill",
                                "tgkill",
                                "rt_sigqueueinfo",
                                "rt_tgsigqueueinfo",
                                "pidfd_send_signal",
                                "pidfd_open",
                                "pidfd_getfd",
                                "ptrace",
                                "process_vm_readv",
                                "process_vm_writev",
                                "process_madvise",
                                "kcmp",
                                // The network.
                                "socket",
                                "bind",
                                "connect",
                                "listen",
                                "accept",
                                "accept4",
                                "sendto",
                                "sendmsg",
                                "sendmmsg",
                                // Memory that the limit of address space does not count.
                                "memfd_create",
                                "memfd_secret",
                                "shmget",
                                "msgget",
                                "semget",
                                "mq_open",
                                // Limits, namespaces, mounts and the kernel's own affairs.
                                "setrlimit",
                                "setpriority",
                                "sched_setscheduler",
                                "sched_setattr",
                                "ioprio_set",
                                "unshare",
                                "setns",
                                "mount",
                                "umount",
                                "umount2",
                                "pivot_root",
                                "chroot",
                                "fsopen",
                                "fsconfig",
                                "fsmount",
                                "fspick",
                                "move_mount",
                                "open_tree",
                                "mount_setattr",
                                "bpf",
                                "perf_event_open",
                                "userfaultfd",
                                "keyctl",
                                "add_key",
                                "request_key",
                                "io_uring_setup",
                                "io_uring_enter",
                                "io_uring_register",
                                "open_by_handle_at",
                                "name_to_handle_at",
                                "init_module",
                                "finit_module",
                                "delete_module",
                                "kexec_load",
                                "kexec_file_load",
                                "reboot",
                                "swapon",
                                "swapoff",
                                "acct",
                                "quotactl",
                                "syslog",
                                "settimeofday",
                                "clock_settime",
                                "adjtimex",
                                "clock_adjtime",
                                "sethostname",
                                "setdomainname",
                                "personality",
                                "vhangup",
                                "iopl",
                                "ioperm",
                                "lookup_dcookie",
                                "nfsservctl"};

struct ReleaseFilter {
  void operator()(void* filter) const { seccomp_release(filter); }
};

void filter_system_calls() {
  const std::unique_ptr<void, ReleaseFilter> filter(seccomp_init(SCMP_ACT_ALLOW));
  const auto forbid = [&filter](const char* name, int reason, const scmp_arg_cmp* condition) {
    const int call = seccomp_syscall_resolve_name(name);
    if (call >= 0 && seccomp_rule_add_array(filter.get(),
                                            SCMP_ACT_ERRNO(static_cast<uint16_t>(reason)),
                                            call,
                                            condition == nullptr ? 0 : 1,
                                            condition) != 0) {
      errno = EINVAL;
      fail("seccomp_rule_add");
    }
  };
  for (const char* const name : kForbidden) {
    forbid(name, EPERM, nullptr);
  }
  // The C library falls back to clone, whose flags a filter can see.
  forbid("clone3", ENOSYS, nullptr);
  const scmp_arg_cmp is_process{
      .arg = 0, .op = SCMP_CMP_MASKED_EQ, .datum_a = CLONE_THREAD, .datum_b = 0};
  forbid("clone", EPERM, &is_process);
  const scmp_arg_cmp sets_limit{.arg = 2, .op = SCMP_CMP_NE, .datum_a = 0, .datum_b = 0};
  forbid("prlimit64", EPERM, &sets_limit);
  if (const int result = seccomp_load(filter.get()); result != 0) {
    errno = -result;
    fail("seccomp_load");
  }
}

void limit(__rlimit_resource resource, uint64_t value) {
  const rlimit both{.rlim_cur = value, .rlim_max = value};
  if (::setrlimit(resource, &both) != 0) {
    fail("setrlimit");
  }
}

}  // namespace

int landlock_version() {
  const int64_t version =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return version > 0 ? static_cast<int>(version) : 0;
}

bool has_system_call_filter() { return ::prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0; }

void confine(const Confinement& confinement) {
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_CPU, confinement.cpu_seconds);
  limit(RLIMIT_AS, confinement.memory_bytes);
  limit(RLIMIT_FSIZE, confinement.file_bytes);
  limit(RLIMIT_NPROC, confinement.processes);
  limit(RLIMIT_NOFILE, 64);
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    fail("PR_SET_NO_NEW_PRIVS");
  }
  if (const int version = landlock_version(); version > 0) {
    restrict_files(confinement, version);
  }
  if (has_system_call_filter()) {
    filter_system_calls();
  }
}

}  // namespace slayer
