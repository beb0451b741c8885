#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "slayer/core/json.h"

namespace slayer {

/// What a probe has measured so far, line by line in a file, so that a run that was interrupted
/// goes on from there.
class ProbeJournal final {
 public:
  /// Remembers without a file: for who asked for none.
  ProbeJournal() = default;

  /// Takes up what `path` holds if it was written under the same `key`; begins anew otherwise. Says
  /// which, where there was something.
  /// @throws Error when it cannot be written.
  ProbeJournal(std::filesystem::path path, const std::string& key);

  /// What was noted under the name; nothing where nothing was.
  const Json* find(const std::string& name) const;

  /// @throws Error naming the path when the disk is full.
  void add(const std::string& name, Json values);

  /// Removes the file, if there is one: its content is in the result now.
  void remove();

  bool is_kept() const { return !path_.empty(); }

 private:
  std::filesystem::path path_;
  std::map<std::string, Json> noted_;
  std::ofstream stream_;
};

}  // namespace slayer
