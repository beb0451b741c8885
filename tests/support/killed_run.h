#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/killed_training.h"
#include "tests/support/tiny_stages.h"

namespace slayer {

/// A run through all stages, from a probe to instruction tuning and evaluation.
class KilledRun : public TinyStages {
 protected:
  /// Runs once in peace; then again, killed `times` times at a random moment of each of these
  /// stages; both must end in the same bytes.
  void expect_same_bytes_after_kills(int times, uint32_t seed) {
    constexpr std::array kStages{"probe",
                                 "plan",
                                 "surgery",
                                 "verify",
                                 "train",
                                 "train",
                                 "train",
                                 "sft",
                                 "sft",
                                 "eval-base",
                                 "eval-new",
                                 "compare"};
    plan_from_a_probe();
    learn_conversations(/*steps=*/12 + 4 * times);
    replace_in_recipe("steps = 6", fmt::format("steps = {}", 12 + 6 * times));
    ASSERT_TRUE(run_until_killed(command("whole"), {}));
    std::mt19937 random(seed);
    std::map<std::string, int> killed_in;
    for (const char* const stage : kStages) {
      for (int i = 0; i < times; ++i) {
        kill_in(stage, random);
        ++killed_in[unfinished_stage()];
      }
    }
    fmt::print("killed in {}\n", killed_in);
    ASSERT_TRUE(run_until_killed(command("killed"), {}));
    EXPECT_EQ(made_files("killed"), made_files("whole")) << "seed " << seed;
    EXPECT_EQ(result("killed"), result("whole")) << "seed " << seed;
  }

 private:
  std::vector<std::string> command(const std::string& out) const {
    return {"run",
            (folder_ / "recipe.toml").string(),
            "--out",
            (folder_ / out).string(),
            "--quiet",
            "--json"};
  }

  std::filesystem::path stamp(const std::string& out, const std::string& stage) const {
    return folder_ / fmt::format("{}/stages/{}.json", out, stage);
  }

  /// When the stage was last begun or finished; the beginning of time where it never was.
  std::filesystem::file_time_type last_stamped(const std::string& stage) const {
    std::error_code not_there;
    const auto time = std::filesystem::last_write_time(stamp("killed", stage), not_there);
    return not_there ? std::filesystem::file_time_type::min() : time;
  }

  /// Goes on with the run and kills it early in the stage, so that later ones are left for later
  /// kills, each of which begins where the stage has got to; in the run's first moments where
  /// the stage is done already.
  void kill_in(const std::string& stage, std::mt19937& random) const {
    const auto whole = read_json_file(stamp("whole", stage))["seconds"].get<double>();
    const std::chrono::duration<double> delay(
        std::uniform_real_distribution<double>(0.0, 0.5 * whole)(random));
    const auto before = last_stamped(stage);
    const bool is_done = before != std::filesystem::file_time_type::min() &&
                         read_json_file(stamp("killed", stage))["is_done"].get<bool>();
    const pid_t child = start_slayer(command("killed"));
    siginfo_t ended{};
    while (!is_done && last_stamped(stage) == before && ended.si_pid == 0) {
      std::this_thread::sleep_for(std::chrono::microseconds(200));
      ::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOHANG | WNOWAIT);
    }
    std::this_thread::sleep_for(delay);
    ::kill(child, SIGKILL);
    ends_well(child);
  }

  /// The stage whose stamp says that it was begun only.
  std::string unfinished_stage() const {
    for (const auto& entry : std::filesystem::directory_iterator(folder_ / "killed/stages")) {
      if (entry.path().extension() == ".json" &&
          !read_json_file(entry.path())["is_done"].get<bool>()) {
        return entry.path().stem().string();
      }
    }
    return "none";
  }

  /// What the run made, byte for byte, but for what tells of time and place.
  std::map<std::string, std::string> made_files(const std::string& out) const {
    std::map<std::string, std::string> files;
    for (const char* folder : {"expanded", "train", "sft", "eval"}) {
      for (auto& [name, content] : files_of(folder_ / out / folder)) {
        if (!name.ends_with("state.json") && !name.ends_with("training.json") &&
            !name.ends_with("metrics.jsonl") && !name.ends_with("events.out.tfevents.slayer")) {
          files[fmt::format("{}/{}", folder, name)] = std::move(content);
        }
      }
    }
    for (const char* file : {"probe.json", "plan.json", "compare.json", "overlap.json"}) {
      files[file] = read_text_file(folder_ / out / file);
    }
    return files;
  }
};

}  // namespace slayer
