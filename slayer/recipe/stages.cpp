#include "slayer/recipe/stages.h"

#include <chrono>
#include <sys/resource.h>

#include "slayer/core/sha256.h"

namespace slayer {
namespace {

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::string key_of(const Stage& stage) { return sha256(stage.inputs().dump()); }

}  // namespace

std::filesystem::path StageLog::stamp_file(const std::string& stage) const {
  return run_ / "stages" / (stage + ".json");
}

Json StageLog::stamp(const std::string& stage) const {
  const std::filesystem::path file = stamp_file(stage);
  return std::filesystem::exists(file) ? read_json_file(file) : Json();
}

bool StageLog::is_up_to_date(const Stage& stage) const {
  const Json made = stamp(stage.name);
  return !made.is_null() && made.value("is_done", false) &&
         std::filesystem::exists(run_ / stage.output) && made.value("inputs", "") == key_of(stage);
}

void StageLog::make(const Stage& stage) const {
  const std::string key = key_of(stage);
  const Json before = stamp(stage.name);
  const bool goes_on = !before.is_null() && before.value("inputs", "") == key;
  write_json_file(stamp_file(stage.name), {{"inputs", key}, {"is_done", false}});
  const auto begin = std::chrono::steady_clock::now();
  const double cpu_begin = cpu_seconds();
  stage.make(goes_on);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  write_json_file(stamp_file(stage.name),
                  {{"inputs", key},
                   {"is_done", true},
                   {"seconds", seconds.count()},
                   {"cpu_seconds", cpu_seconds() - cpu_begin}});
}

StageTime StageLog::time_of(const std::string& stage) const {
  const Json made = stamp(stage);
  return {.seconds = made.value("seconds", 0.0), .cpu_seconds = made.value("cpu_seconds", 0.0)};
}

}  // namespace slayer
