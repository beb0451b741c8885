#include "slayer/report/run_data.h"

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include "slayer/core/error.h"
#include "slayer/core/file.h"
#include "slayer/core/version.h"
#include "slayer/report/answer.h"

namespace slayer {
namespace {

// As many points as a screen can show.
constexpr size_t kCurvePoints = 500;

/// The file's JSON; null where there is no such file.
Json optional_json(const std::filesystem::path& file) {
  return std::filesystem::exists(file) ? read_json_file(file) : Json();
}

/// The lines of a .jsonl, but for a last one that was cut. @throws Error naming one that is no
/// JSON.
std::vector<Json> read_lines(const std::filesystem::path& file) {
  std::istringstream text(read_text_file(file));
  std::vector<Json> lines;
  for (std::string line; std::getline(text, line);) {
    if (text.eof() && parse_journal_line(line).is_null()) {
      break;
    }
    lines.push_back(parse_json(line, file.string() + ": line " + std::to_string(lines.size() + 1)));
  }
  return lines;
}

/// The mean of the numbers under `key`; null where no line of the span has one.
Json mean_of(const std::vector<Json>& lines, size_t begin, size_t end, const std::string& key) {
  double sum = 0.0;
  int64_t count = 0;
  for (size_t i = begin; i < end; ++i) {
    const auto value = lines[i].find(key);
    if (value != lines[i].end() && value->is_number()) {
      sum += value->get<double>();
      ++count;
    }
  }
  return count == 0 ? Json() : Json(sum / static_cast<double>(count));
}

/// Each key of metrics.jsonl as a column; of long trainings the means over neighbouring steps.
Json training_curves(const std::filesystem::path& file) {
  const std::vector<Json> lines = read_lines(file);
  std::vector<std::string> keys;
  for (const Json& line : lines) {
    for (const auto& [key, value] : line.items()) {
      if (value.is_number() && std::ranges::find(keys, key) == keys.end()) {
        keys.push_back(key);
      }
    }
  }
  const size_t width = std::max<size_t>(1, (lines.size() + kCurvePoints - 1) / kCurvePoints);
  Json curves = Json::object();
  for (const std::string& key : keys) {
    Json& column = curves[key] = Json::array();
    for (size_t begin = 0; begin < lines.size(); begin += width) {
      column.push_back(mean_of(lines, begin, std::min(begin + width, lines.size()), key));
    }
  }
  return curves;
}

/// Where the files of a run lie that several variants may share: summary.json says so, relative to
/// its own folder.
std::filesystem::path file_of(const std::filesystem::path& run,
                              const Json& summary,
                              const std::string& name,
                              const char* usual) {
  if (summary.contains("files") && summary["files"].contains(name)) {
    return (run / JsonObject(summary, (run / "summary.json").string()).object("files").string(name))
        .lexically_normal();
  }
  return run / usual;
}

std::string name_of_folder(const std::filesystem::path& folder) {
  const std::filesystem::path path = std::filesystem::absolute(folder).lexically_normal();
  return (path.has_filename() ? path : path.parent_path()).filename().string();
}

}  // namespace

Json read_run(const std::filesystem::path& run) {
  Json data = {{"title", name_of_folder(run)}, {"version", version()}};
  const Json summary = optional_json(run / "summary.json");
  const auto add = [&](const std::string& name, const char* usual) {
    const Json json = optional_json(file_of(run, summary, name, usual));
    if (!json.is_null()) {
      data[name] = json;
    }
  };
  if (!summary.is_null()) {
    data["summary"] = summary;
  }
  add("plan", "plan.json");
  if (summary.is_null() ||
      summary.value("has_probe", true)) {  // Else a former recipe's may lie there.
    add("probe", "probe.json");
  }
  add("compare", "compare.json");
  add("overlap", "overlap.json");
  add("machine", "run.json");
  if (data.size() == 2) {
    throw Error({.file = run.string(),
                 .found = "no file of a run",
                 .expected = "the folder that slayer run --out made"});
  }
  const auto add_curves = [&](const std::string& name, const char* usual) {
    const std::filesystem::path metrics = file_of(run, summary, name, usual);
    if (std::filesystem::exists(metrics)) {
      data[name] = training_curves(metrics);
    }
  };
  add_curves("training", "train/metrics.jsonl");
  if (summary.is_null() || summary.contains("sft")) {  // As of the probe.
    add_curves("sft_training", "sft/metrics.jsonl");
  }
  const std::filesystem::path recipe = file_of(run, summary, "recipe", "recipe.toml");
  if (std::filesystem::exists(recipe)) {
    data["recipe"] = read_text_file(recipe);
  }
  if (data.contains("summary")) {
    data["answer"] = answer(data, (run / "summary.json").string());
  }
  return data;
}

Json read_probe(const std::filesystem::path& file) {
  const Json probe = read_json_file(file);
  JsonObject(probe, file.string()).integer("format", 1, 1);
  if (!probe.contains("domain") && !probe.contains("general")) {
    JsonObject(probe, file.string()).object("base");
  }
  Json data = {{"title", file.filename().string()}, {"version", version()}, {"probe", probe}};
  const std::filesystem::path beside = file.parent_path() / "plan.json";
  const Json plan = std::filesystem::exists(beside) ? read_json_file(beside) : Json::object();
  const Json source = plan.value("source", Json::object());
  if (source.is_object() && source.contains("hash") && probe.contains("model") &&
      source["hash"] == probe["model"]) {
    data["plan"] = plan;
  }
  return data;
}

}  // namespace slayer
