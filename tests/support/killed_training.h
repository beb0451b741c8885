#pragma once

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <map>
#include <random>
#include <spawn.h>
#include <string>
#include <sys/wait.h>
#include <system_error>
#include <thread>
#include <vector>

#include "tests/support/checkpoint_bytes.h"
#include "tests/support/text_file.h"
#include "tests/support/training_checkpoint.h"

namespace slayer {

/// Starts `slayer`. @return its process.
inline pid_t start_slayer(const std::vector<std::string>& arguments) {
  std::vector<char*> argv{const_cast<char*>(SLAYER_BINARY)};
  for (const std::string& argument : arguments) {
    argv.push_back(const_cast<char*>(argument.c_str()));
  }
  argv.push_back(nullptr);
  pid_t child = 0;
  const int error = ::posix_spawn(&child, SLAYER_BINARY, nullptr, nullptr, argv.data(), environ);
  if (error != 0) {  // A kill of process 0 would be one of ourselves.
    throw std::system_error(error, std::generic_category(), SLAYER_BINARY);
  }
  return child;
}

/// Waits for a process. @return whether it ended by itself with exit code 0.
inline bool ends_well(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/// Runs `slayer` and, where `patience` is not zero, kills it after that long.
/// @return whether it ended by itself with exit code 0.
inline bool run_until_killed(const std::vector<std::string>& arguments,
                             std::chrono::microseconds patience) {
  const pid_t child = start_slayer(arguments);
  if (patience.count() > 0) {
    std::this_thread::sleep_for(patience);
    ::kill(child, SIGKILL);
  }
  return ends_well(child);
}

/// What a training leaves: the finished model and the last checkpoint, byte for byte, but for the
/// time it took.
inline std::map<std::string, std::string> trained_files(const std::filesystem::path& out) {
  std::map<std::string, std::string> files;
  for (const char* folder : {"model", "checkpoints"}) {
    for (auto& [name, content] : files_of(out / folder)) {
      if (!name.ends_with("state.json")) {
        files[fmt::format("{}/{}", folder, name)] = std::move(content);
      }
    }
  }
  return files;
}

/// Trains once in peace; then again, killed at `kills` random moments spread over start-up, steps
/// and checkpoints; both must end in the same bytes.
inline void expect_same_bytes_after_kills(int kills, uint32_t seed) {
  const ScratchFolder folder;
  const std::string data =
      file_in(folder,
              "text.jsonl",
              fmt::format("{{\"text\": \"{}\"}}\n{{\"text\": \"b\"}}\n", std::string(4000, 'a')));
  const std::string checkpoint = write_training_checkpoint(folder / "ckpt").string();
  const std::string steps = fmt::format("{}", 6 * kills);
  const auto command = [&](const std::string& out) {
    return std::vector<std::string>{"train",
                                    checkpoint,
                                    "--data",
                                    data,
                                    "--out",
                                    (folder / out).string(),
                                    "--steps",
                                    steps,
                                    "--seq-len",
                                    "32",
                                    "--batch-size",
                                    "4",
                                    "--save-every",
                                    "1",
                                    "--threads",
                                    "1",
                                    "--quiet"};
  };
  const auto microseconds_of = [](const std::vector<std::string>& arguments) {
    const auto start = std::chrono::steady_clock::now();
    EXPECT_TRUE(run_until_killed(arguments, {}));
    return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() -
                                                                 start)
        .count();
  };
  std::vector<std::string> dry_run = command("peaceful");
  dry_run.emplace_back("--dry-run");
  const int64_t startup = microseconds_of(dry_run);
  const int64_t whole = microseconds_of(command("peaceful"));
  std::mt19937 random(seed);
  std::uniform_int_distribution<int64_t> moment(
      1, startup + std::max<int64_t>(2 * (whole - startup) / kills, 1000));
  for (int i = 0; i < kills; ++i) {
    run_until_killed(command("killed"), std::chrono::microseconds(moment(random)));
  }
  ASSERT_TRUE(run_until_killed(command("killed"), {}));
  EXPECT_EQ(trained_files(folder / "killed"), trained_files(folder / "peaceful"))
      << "seed " << seed;
}

}  // namespace slayer
