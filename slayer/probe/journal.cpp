#include "slayer/probe/journal.h"

#include <fmt/format.h>
#include <utility>

#include "slayer/core/journal.h"
#include "slayer/core/log.h"

namespace slayer {

ProbeJournal::ProbeJournal(std::filesystem::path path, const std::string& key)
    : path_(std::move(path)) {
  const std::vector<Json> lines = read_journal(path_);
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
  std::vector<Json> kept{{{"key", key}}};
  for (const auto& [name, values] : noted_) {
    kept.push_back({{"name", name}, {"values", values}});
  }
  stream_ = begin_journal(path_, kept);
}

const Json* ProbeJournal::find(const std::string& name) const {
  const auto found = noted_.find(name);
  return found == noted_.end() ? nullptr : &found->second;
}

void ProbeJournal::add(const std::string& name, Json values) {
  if (is_kept()) {
    append_to_journal(stream_, path_, {{"name", name}, {"values", values}});
  }
  noted_[name] = std::move(values);
}

void ProbeJournal::remove() {
  if (is_kept()) {
    stream_.close();
    std::filesystem::remove(path_);
  }
}

}  // namespace slayer
