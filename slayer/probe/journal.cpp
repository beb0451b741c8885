#include "slayer/probe/journal.h"

#include <fmt/format.h>
#include <utility>

#include "slayer/core/error.h"
#include "slayer/core/log.h"

namespace slayer {
namespace {

/// The lines that were written whole; the last may be torn.
std::vector<Json> read_lines(const std::filesystem::path& path) {
  std::vector<Json> lines;
  std::ifstream stream(path);
  for (std::string line; std::getline(stream, line) && !stream.eof();) {
    Json json = parse_journal_line(line);
    if (json.is_null()) {
      break;
    }
    lines.push_back(std::move(json));
  }
  return lines;
}

}  // namespace

ProbeJournal::ProbeJournal(std::filesystem::path path, const std::string& key)
    : path_(std::move(path)) {
  const std::vector<Json> lines = read_lines(path_);
  if (!lines.empty() && lines.front().value("key", "") == key) {
    for (size_t i = 1; i < lines.size(); ++i) {
      if (lines[i].contains("name") && lines[i].contains("values")) {
        noted_[lines[i]["name"].get<std::string>()] = lines[i]["values"];
      }
    }
    log_info(fmt::format(
        "{}: goes on from the {} measurements that it holds", path_.string(), noted_.size()));
  } else if (lines.size() > 1) {
    log_warning(fmt::format("{}: was of another model, text or choice of options; begins anew",
                            path_.string()));
  }
  if (path_.has_parent_path()) {
    std::filesystem::create_directories(path_.parent_path());
  }
  // Written anew: a torn last line must not be appended to.
  stream_.open(path_, std::ios::binary | std::ios::trunc);
  append({{"key", key}});
  for (const auto& [name, values] : noted_) {
    append({{"name", name}, {"values", values}});
  }
}

const Json* ProbeJournal::find(const std::string& name) const {
  const auto found = noted_.find(name);
  return found == noted_.end() ? nullptr : &found->second;
}

void ProbeJournal::add(const std::string& name, Json values) {
  if (is_kept()) {
    append({{"name", name}, {"values", values}});
  }
  noted_[name] = std::move(values);
}

void ProbeJournal::append(const Json& line) {
  stream_ << compact_text(line) << '\n' << std::flush;
  if (!stream_) {
    throw Error({.file = path_.string(),
                 .found = "a write that failed",
                 .expected = "room for what is measured"});
  }
}

void ProbeJournal::remove() {
  if (is_kept()) {
    stream_.close();
    std::filesystem::remove(path_);
  }
}

}  // namespace slayer
