#include "slayer/eval/sandbox.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <fmt/format.h>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <memory>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "slayer/core/file.h"

#include "tests/support/error_message.h"
#include "tests/support/text_file.h"

namespace slayer {
namespace {

constexpr double kSeconds = 5.0;  // For programs that end by themselves; a busy machine is slow.

/// Both sandboxes; each is opened once. One that this machine does not permit is skipped, visibly.
class SandboxTest : public testing::TestWithParam<SandboxKind> {
 protected:
  void SetUp() override {
    try {
      sandbox_ = std::make_unique<Sandbox>(GetParam());
    } catch (const Error& error) {
      if (GetParam() == SandboxKind::kRlimits) {
        throw;
      }
      GTEST_SKIP() << error.what();
    }
  }

  bool has_namespaces() const { return GetParam() == SandboxKind::kBubblewrap; }

  /// The program fails, within its time and a grace, and the sandbox goes on to run others.
  ProgramResult contained(const std::string& program, double seconds = kSeconds) {
    const auto start = std::chrono::steady_clock::now();
    ProgramResult result = sandbox_->run(program, seconds);
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
    EXPECT_FALSE(result.has_passed) << program;
    EXPECT_TRUE(sandbox_->run("print(1)", kSeconds).has_passed);
    return result;
  }

  std::unique_ptr<Sandbox> sandbox_;
};

INSTANTIATE_TEST_SUITE_P(,
                         SandboxTest,
                         testing::Values(SandboxKind::kBubblewrap, SandboxKind::kRlimits),
                         [](const auto& kind) {
                           return kind.param == SandboxKind::kRlimits ? "Rlimits" : "Bubblewrap";
                         });

/// Processes of this machine whose command line has `word` in it.
int processes_with(const std::string& word) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "cmdline", std::ios::binary);
    const std::string line{std::istreambuf_iterator<char>(file), {}};
    count += line.find(word) != std::string::npos ? 1 : 0;
  }
  return count;
}

TEST_P(SandboxTest, RunsAProgramAndGivesWhatItPrints) {
  const ProgramResult result = sandbox_->run("import math\nprint(math.gcd(12, 18))", kSeconds);
  EXPECT_EQ(result.outcome, "passed");
  EXPECT_EQ(result.output, "6\n");
  const auto results =
      sandbox_->run_all({"print(0)", "x", "print(2)", "print(3)", "1/0"}, kSeconds);
  EXPECT_EQ(results[0].output + results[2].output + results[3].output, "0\n2\n3\n");
  EXPECT_EQ(results[1].outcome, "failed: NameError: name 'x' is not defined");
  EXPECT_EQ(results[4].outcome, "failed: ZeroDivisionError: division by zero");
}

TEST_P(SandboxTest, CountsAnEarlyEndAsFailed) {
  EXPECT_EQ(contained("import sys\nsys.exit(0)").outcome, "failed: SystemExit: 0");
  EXPECT_EQ(contained("import os\nos._exit(0)").outcome,
            "failed: it ended before its end (exit 0)");
  EXPECT_EQ(contained("def f(:").outcome,
            "failed: SyntaxError: invalid syntax (program.py, line 1)");
  EXPECT_EQ(contained("import ctypes\nctypes.string_at(0)").outcome, "failed: killed by signal 11");
}

TEST_P(SandboxTest, EndsAnInfiniteLoop) {
  EXPECT_EQ(contained("while True: pass", 1.0).outcome, "failed: timed out after 1 s");
  EXPECT_EQ(
      contained("import signal, time\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\n"
                "while True:\n  time.sleep(1)",
                1.0)
          .outcome,
      "failed: timed out after 1 s");
}

TEST_P(SandboxTest, EndsEndlessOutput) {
  EXPECT_EQ(contained("while True: print('x' * 1000)").outcome,
            "failed: more than 1048576 bytes of output");
  EXPECT_EQ(contained("import sys\nwhile True: sys.stderr.write('x' * 1000)").outcome,
            "failed: more than 1048576 bytes of output");
}

TEST_P(SandboxTest, RefusesTenGigabytes) {
  EXPECT_EQ(contained("x = bytearray(10 * 2**30)").outcome, "failed: MemoryError: ");
}

TEST_P(SandboxTest, StopsAForkBomb) {
  if (!sandbox_->has_seccomp()) {
    GTEST_SKIP() << "this kernel has no seccomp";
  }
  EXPECT_EQ(contained("import os\nwhile True: os.fork()").outcome,
            "failed: PermissionError: [Errno 1] Operation not permitted");
  // Every way to a new process, and none of them may have left one.
  contained("import subprocess\nsubprocess.run(['/bin/true'])");
  contained(
      "import multiprocessing\nmultiprocessing.get_context('fork').Process(target=print).start()");
  contained("import os\nos.posix_spawn('/bin/true', ['true'], {})");
  contained(
      "import threading, time\nwhile True: threading.Thread(target=time.sleep, "
      "args=(60,)).start()");
}

TEST_P(SandboxTest, LetsNothingOutlive) {
  const std::string mark = fmt::format("slayer-outlives-{}", ::getpid());
  contained(
      fmt::format("import os, time\n"
                  "if os.fork() == 0:\n"
                  "  os.setsid()\n"
                  "  if os.fork() == 0:\n"
                  "    os.execv('/bin/sleep', ['{}', '60'])\n"
                  "  os._exit(0)\n"
                  "time.sleep(0.2)\n"
                  "raise SystemExit",
                  mark));
  EXPECT_EQ(processes_with(mark), 0);
}

TEST_P(SandboxTest, DoesNotReadASecret) {
  if (!has_namespaces() && sandbox_->landlock() == 0) {
    GTEST_SKIP() << "this kernel has no Landlock, and rlimits keep no file secret";
  }
  const ScratchFolder folder;
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0755));
  const std::string secret = file_in(folder, "secret", "s3cret");
  std::filesystem::permissions(secret, std::filesystem::perms(0644));
  for (const std::string& path : {secret,
                                  std::string("/etc/passwd"),
                                  std::string("/etc/shadow"),
                                  std::string("/proc/1/environ"),
                                  std::string("/proc/self/environ")}) {
    contained(fmt::format("print(open('{}', 'rb').read())", path));
  }
  contained(fmt::format("import os\nprint(os.listdir('{}'))", folder.path().string()));
  EXPECT_TRUE(sandbox_->run("import json\nprint(json.__file__)", kSeconds).has_passed);
}

TEST_P(SandboxTest, HasNeitherEnvironmentNorDescriptorsOfItsParent) {
  const ScratchFolder folder;
  const std::string secret = file_in(folder, "secret", "s3cret");
  const int inherited = ::open(secret.c_str(), O_RDONLY);  // Not to be closed on exec.
  ::setenv("SLAYER_TEST_SECRET", "s3cret", 1);
  contained("import os\nassert any('SECRET' in name for name in os.environ)");
  contained(
      "import os\n"
      "def is_open(descriptor):\n"
      "  try:\n"
      "    return bool(os.fstat(descriptor))\n"
      "  except OSError:\n"
      "    return False\n"
      "assert any(is_open(descriptor) for descriptor in range(3, 256))");
  ::unsetenv("SLAYER_TEST_SECRET");
  ::close(inherited);
}

TEST_P(SandboxTest, WritesNothingOutside) {
  const ScratchFolder folder;
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0777));
  const std::string path = folder / "written";
  if (has_namespaces() || sandbox_->landlock() > 0) {
    for (const std::string& target : {path,
                                      std::string("/usr/written"),
                                      std::string("/written"),
                                      std::string("/dev/shm/written")}) {
      contained(fmt::format("open('{}', 'w').write('x')", target));
    }
  }
  EXPECT_FALSE(std::filesystem::exists(path));
  // Inside its own /tmp, where it has one, a program may write; nobody else sees it.
  const std::string own = fmt::format("/tmp/slayer-own-{}", ::getpid());
  const std::string writes = fmt::format("open('{}', 'w').write('x')", own);
  if (has_namespaces()) {
    EXPECT_EQ(sandbox_->run(writes, kSeconds).outcome, "passed");
    contained(
        fmt::format("with open('{}', 'w') as file:\n  while True: file.write('x' * 2**20)", own));
  } else if (sandbox_->landlock() > 0) {
    contained(writes);
  } else {
    GTEST_SKIP() << "this kernel has no Landlock, and rlimits keep no folder from being written";
  }
  EXPECT_FALSE(std::filesystem::exists(own));
}

TEST_P(SandboxTest, OpensNoSocket) {
  if (!sandbox_->has_seccomp()) {
    GTEST_SKIP() << "this kernel has no seccomp";
  }
  for (const char* const kind : {"AF_INET, socket.SOCK_STREAM",
                                 "AF_INET, socket.SOCK_DGRAM",
                                 "AF_INET6, socket.SOCK_STREAM",
                                 "AF_UNIX, socket.SOCK_STREAM"}) {
    EXPECT_EQ(contained(fmt::format("import socket\nsocket.socket(socket.{})", kind)).outcome,
              "failed: PermissionError: [Errno 1] Operation not permitted");
  }
}

TEST_P(SandboxTest, KillsNobody) {
  if (!has_namespaces() && !sandbox_->has_seccomp() && sandbox_->landlock() < 6) {
    GTEST_SKIP() << "this kernel has neither seccomp nor Landlock 6: rlimits hold no signal back";
  }
  contained("import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\nraise SystemExit");
  contained(fmt::format("import os, signal\nos.kill({}, signal.SIGKILL)", ::getpid()));
}

TEST_P(SandboxTest, CannotRaiseItsLimits) {
  if (!sandbox_->has_seccomp()) {
    GTEST_SKIP() << "this kernel has no seccomp";
  }
  contained(
      "import resource\n"
      "resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))");
}

TEST(Sandbox, SaysWhatIsMissing) {
  EXPECT_EQ(message_of([] { sandbox_kind_from_name("jail"); }),
            "--sandbox: found jail, expected bubblewrap or rlimits");
  EXPECT_EQ(Sandbox(SandboxKind::kRlimits).missing().front(),
            "processes, network and files of its own (namespaces)");
  const std::string path = std::getenv("PATH");
  ::setenv("PATH", "/nowhere", 1);
  const std::string message = message_of([] { const Sandbox sandbox(SandboxKind::kBubblewrap); });
  ::setenv("PATH", path.c_str(), 1);
  EXPECT_TRUE(message.starts_with(
      "--sandbox bubblewrap: found bwrap is not in PATH, expected bubblewrap, and namespaces "
      "permitted (--sandbox rlimits goes on without: processes, network and files of its own "
      "(namespaces)"))
      << message;
}

TEST(Sandbox, EndsWithItsProcess) {
  // A process that is killed while a program runs leaves none behind.
  const ScratchFolder folder;
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0755));
  const pid_t child = ::fork();
  if (child == 0) {
    ::setenv("TMPDIR", folder.path().c_str(), 1);
    const Sandbox sandbox(SandboxKind::kRlimits);
    sandbox.run("import time\ntime.sleep(60)", 60.0);
    std::_Exit(0);
  }
  // Their command lines name the folder; the probes at the start are over after a moment.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  const auto wait_until = [&](auto is_so) {
    while (!is_so() && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  };
  wait_until([&] { return processes_with("program-1.py") > 0; });
  EXPECT_GT(processes_with(folder.path().string()), 0);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  wait_until([&] { return processes_with(folder.path().string()) == 0; });
  EXPECT_EQ(processes_with(folder.path().string()), 0);
}

}  // namespace
}  // namespace slayer
