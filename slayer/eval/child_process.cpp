#include "slayer/eval/child_process.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

#include "slayer/core/error.h"
#include "slayer/core/file_descriptor.h"

namespace slayer {
namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void fail(const std::string& command, int reason) {
  throw Error({.file = command,
               .item = "cannot be started",
               .found = std::generic_category().message(reason)});
}

struct Pipe {
  FileDescriptor read;
  FileDescriptor write;
};

Pipe open_pipe(const std::string& command) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    fail(command, errno);
  }
  return {.read = FileDescriptor(ends[0]), .write = FileDescriptor(ends[1])};
}

pid_t spawn(const std::vector<std::string>& command, std::array<Pipe, 3>& pipes) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  for (size_t i = 0; i < pipes.size(); ++i) {
    ::posix_spawn_file_actions_adddup2(&actions, pipes[i].write.get(), static_cast<int>(i) + 1);
  }
  std::vector<char*> arguments;
  std::ranges::transform(command, std::back_inserter(arguments), [](const std::string& word) {
    return const_cast<char*>(word.c_str());
  });
  arguments.push_back(nullptr);
  pid_t child = 0;
  const int failure =
      ::posix_spawn(&child, command.front().c_str(), &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failure != 0) {
    fail(command.front(), failure);
  }
  return child;
}

}  // namespace

ChildOutput run_child(const std::vector<std::string>& command,
                      std::chrono::milliseconds patience,
                      size_t output_limit) {
  std::array<Pipe, 3> pipes{
      open_pipe(command.front()), open_pipe(command.front()), open_pipe(command.front())};
  const pid_t child = spawn(command, pipes);
  ChildOutput result;
  const std::array<std::string*, 3> texts{&result.out, &result.err, &result.status};
  std::array<pollfd, 3> polled{};
  for (size_t i = 0; i < pipes.size(); ++i) {
    pipes[i].write = FileDescriptor(-1);
    polled[i] = {.fd = pipes[i].read.get(), .events = POLLIN, .revents = 0};
  }
  const auto deadline = Clock::now() + patience;
  const auto is_open = [](const pollfd& entry) { return entry.fd >= 0; };
  while (std::ranges::any_of(polled, is_open)) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) {
      break;
    }
    if (::poll(polled.data(), polled.size(), static_cast<int>(std::min<int64_t>(left, 1000))) < 0) {
      continue;
    }
    for (size_t i = 0; i < polled.size(); ++i) {
      if (polled[i].revents == 0) {
        continue;
      }
      std::array<char, 4096> buffer;
      const ssize_t size = ::read(polled[i].fd, buffer.data(), buffer.size());
      if (size <= 0) {
        polled[i].fd = -1;
        continue;
      }
      if (result.out.size() + result.err.size() <= output_limit) {
        texts[i]->append(buffer.data(), static_cast<size_t>(size));
      } else if (i < 2 && !result.has_exceeded_limit) {
        result.has_exceeded_limit = true;
        ::kill(child, SIGTERM);
      }
    }
  }
  if (std::ranges::any_of(polled, is_open)) {
    ::kill(child, SIGKILL);
  }
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  return result;
}

}  // namespace slayer
