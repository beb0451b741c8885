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

/// Bytes that a stream of a tensor's bytes works on at a time: few enough for a low memory and a
/// prompt Ctrl-C, enough for the disk's speed.
inline constexpr uint64_t kChunkBytes = uint64_t{8} << 20U;

/// Called between chunks. @throws Interrupted when asked to stop.
void throw_if_stopped(const std::stop_token& stop);

/// For TensorToWrite: appends stored bytes as they are.
std::function<void(OutputFile&)> write_copy(StoredBytes stored, std::stop_token stop);

}  // namespace slayer
