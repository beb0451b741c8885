#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "slayer/core/json.h"

namespace slayer {

/// The samples of a task while they come: each is appended to FINAL.partial at once, so that a run
/// that was killed goes on from the items done.
class SampleJournal final {
 public:
  /// Takes up what FINAL.partial holds if it was written under the same `key` (a hash of model,
  /// task and options); begins anew otherwise.
  /// @throws Error when it cannot be written.
  SampleJournal(std::filesystem::path final_path, const std::string& key);

  bool has(int64_t doc_id) const { return samples_.contains(doc_id); }
  int64_t size() const { return std::ssize(samples_); }

  /// @throws Error naming the path when the disk is full.
  void add(Json sample);

  /// Writes all samples in the order of their doc_id under the final name, removes the partial
  /// file, and gives the samples out.
  std::vector<Json> finish();

 private:
  void append(const Json& line);

  std::filesystem::path final_;
  std::filesystem::path partial_;
  std::map<int64_t, Json> samples_;
  std::ofstream stream_;
};

}  // namespace slayer
