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

/// Adds the keys whose values are not the same in both objects; of settings, which of them.
void add_differences(const Json& before, const Json& now, std::vector<std::string>& keys) {
  Json all = before;
  all.update(now);
  for (const auto& [key, unused] : all.items()) {
    const Json was = before.value(key, Json());
    const Json is = now.value(key, Json());
    if (was.is_object() && is.is_object()) {
      add_differences(was, is, keys);
    } else if (was != is) {
      keys.push_back(key);
    }
  }
}

/// An output folder's files by name, weights with their sizes: what else there is may be edited.
/// Null of an output that is a file, for the same reason.
Json files_of(const std::filesystem::path& output) {
  Json files;
  if (std::filesystem::is_directory(output)) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(output)) {
      if (entry.is_regular_file()) {
        const std::filesystem::path extension = entry.path().extension();
        const bool is_weights = extension == ".safetensors" || extension == ".gguf";
        files[entry.path().lexically_relative(output).generic_string()] =
            is_weights ? Json(entry.file_size()) : Json();
      }
    }
  }
  return files;
}

/// Whether the output holds the files that were made; others may have come.
bool holds_files(const std::filesystem::path& output, const Json& files) {
  return std::ranges::all_of(files.items(), [&](const auto& file) {
    std::error_code missing;
    const auto size = std::filesystem::file_size(output / file.key(), missing);
    return !missing && (file.value().is_null() || file.value() == size);
  });
}

bool is_filled(const std::filesystem::path& path) {
  return std::filesystem::exists(path) && !std::filesystem::is_empty(path);
}

bool has_states(const Stage& stage) {
  return !stage.states.empty() && is_filled(stage.folder / stage.states);
}

Json carried_by(const Stage& stage) { return stage.carried ? Json(stage.carried()) : Json(); }

}  // namespace

bool is_up_to_date(const Stage& stage) {
  const Json made = stamp_of(stage);
  return !made.is_null() && made.value("is_done", false) &&
         std::filesystem::exists(stage.output_path()) &&
         holds_files(stage.output_path(), made.value("files", Json())) &&
         made.value("inputs", Json()) == stage.inputs() &&
         made.value("carried", Json()) == carried_by(stage);
}

std::string changed_inputs(const Stage& stage) {
  const Json made = stamp_of(stage);
  std::vector<std::string> keys;
  if (!made.is_null()) {
    add_differences(made.value("inputs", Json::object()), stage.inputs(), keys);
    if (keys.empty() && made.value("is_done", false) && holds_work(stage) && !has_states(stage)) {
      if (std::filesystem::exists(stage.output_path()) &&
          !holds_files(stage.output_path(), made.value("files", Json()))) {
        keys.push_back("its files are not whole");
      } else if (made.value("carried", Json()) != carried_by(stage)) {
        keys.push_back("the files beside its weights");
      }
    }
  } else if (holds_work(stage)) {
    keys.push_back("its stamp " + stamp_file(stage).filename().string() + " is gone");
  }
  return fmt::format("{}", fmt::join(keys, ", "));
}

bool holds_work(const Stage& stage) {
  return std::ranges::any_of(stage.work, [&](const std::filesystem::path& path) {
    return is_filled(stage.folder / path);
  });
}

void make_stage(const Stage& stage, bool anew, const Json& made_by) {
  const Json inputs = stage.inputs();
  const Json carried = carried_by(stage);
  const Json before = stamp_of(stage);
  const bool goes_on = !anew && !before.is_null() && before.value("inputs", Json()) == inputs;
  if (!goes_on &&
      stage.discard) {  // Before the stamp says that what lies there is of these inputs.
    stage.discard();
  }
  write_json_file(stamp_file(stage), {{"inputs", inputs}, {"is_done", false}});
  const auto begin = std::chrono::steady_clock::now();
  const double cpu_begin = process_cpu_seconds();
  reset_peak_memory();
  stage.make(goes_on);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  write_json_file(stamp_file(stage),
                  {{"inputs", inputs},
                   {"is_done", true},
                   {"carried", carried},
                   {"files", files_of(stage.output_path())},
                   {"seconds", seconds.count()},
                   {"cpu_seconds", process_cpu_seconds() - cpu_begin},
                   {"peak_bytes", peak_memory()},
                   {"made_by", made_by}});
}

StageCost cost_of(const Stage& stage) {
  const Json made = stamp_of(stage);
  return made.is_null() ? StageCost()
                        : StageCost{.seconds = made.value("seconds", 0.0),
                                    .cpu_seconds = made.value("cpu_seconds", 0.0),
                                    .peak_bytes = made.value("peak_bytes", int64_t{0})};
}

}  // namespace slayer
