#include "slayer/recipe/stages.h"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "slayer/core/cpu_time.h"
#include "slayer/recipe/machine.h"

namespace slayer {
namespace {

std::filesystem::path stamp_file(const Stage& stage) {
  return stage.folder / "stages" / (stage.name + ".json");
}

/// The stage's stamp; null when there is none.
Json stamp_of(const Stage& stage) {
  const std::filesystem::path file = stamp_file(stage);
  return std::filesystem::exists(file) ? read_json_file(file) : Json();
}

}  // namespace

bool is_up_to_date(const Stage& stage) {
  const Json made = stamp_of(stage);
  return !made.is_null() && made.value("is_done", false) &&
         std::filesystem::exists(stage.output_path()) &&
         made.value("inputs", Json()) == stage.inputs();
}

void make_stage(const Stage& stage, bool anew) {
  const Json inputs = stage.inputs();
  const Json before = stamp_of(stage);
  const bool goes_on = !anew && !before.is_null() && before.value("inputs", Json()) == inputs;
  write_json_file(stamp_file(stage), {{"inputs", inputs}, {"is_done", false}});
  const auto begin = std::chrono::steady_clock::now();
  const double cpu_begin = process_cpu_seconds();
  reset_peak_memory();
  stage.make(goes_on);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  write_json_file(stamp_file(stage),
                  {{"inputs", inputs},
                   {"is_done", true},
                   {"seconds", seconds.count()},
                   {"cpu_seconds", process_cpu_seconds() - cpu_begin},
                   {"peak_bytes", peak_memory()}});
}

StageCost cost_of(const Stage& stage) {
  const Json made = stamp_of(stage);
  return made.is_null() ? StageCost()
                        : StageCost{.seconds = made.value("seconds", 0.0),
                                    .cpu_seconds = made.value("cpu_seconds", 0.0),
                                    .peak_bytes = made.value("peak_bytes", int64_t{0})};
}

}  // namespace slayer
