#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "slayer/core/json.h"

namespace slayer {

/// The samples of a task while they come: each is appended to FINAL.journal at once, so that a run
/// that was killed goes on from the items done.
class SampleJournal final {
 public:
  /// Takes up what FINAL.journal holds if it was written under the same `key` (a hash of model,
  /// task and options); begins anew otherwise.
  /// @throws Error when it cannot be written.
  SampleJournal(std::filesystem::path final_path, const std::string& key);

  bool has(int64_t doc_id) const { return samples_.contains(doc_id); }
  int64_t size() const { return std::ssize(samples_); }

  /// @throws Error naming the path when the disk is full.
  void add(Json sample);

  /// Writes all samples in the order of their doc_id under the final name, and gives them out. The
  /// journal stays: until the whole evaluation is written, a run that goes on needs it.
  std::vector<Json> finish();

  /// Removes the journal of FINAL, if there is one.
  static void discard(const std::filesystem::path& final_path);

 private:
  std::filesystem::path final_;
  std::filesystem::path journal_;
  std::map<int64_t, Json> samples_;
  std::ofstream stream_;
};

}  // namespace slayer
