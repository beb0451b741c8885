#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "slayer/checkpoint/checkpoint.h"
#include "slayer/checkpoint/writer.h"
#include "slayer/core/file.h"
#include "slayer/core/progress.h"

namespace slayer {

/// How an output is written.
struct WriteOptions {
  uint64_t shard_bytes = kDefaultShardBytes;
  bool force = false;  ///< Replace what is there.
  ProgressStyle progress = ProgressStyle::kSilent;
  std::stop_token stop = {};
};

/// A checkpoint folder to be: its tensors in order, and its other files by name.
struct ModelFolder {
  std::vector<TensorToWrite> tensors;
  std::map<std::string, std::string> files;
};

/// Writes the folder so that it appears under its name only when whole and on the disk.
/// @throws Error when `out` exists, the disk has no room for it (found out before writing) or
/// fails; Interrupted when asked to stop. Either way nothing is left.
void write_model_folder(const ModelFolder& folder,
                        const std::filesystem::path& out,
                        const WriteOptions& options);

}  // namespace slayer
