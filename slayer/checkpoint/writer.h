#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "slayer/checkpoint/checkpoint.h"
#include "slayer/core/output_file.h"

namespace slayer {

/// One tensor of an output and how its bytes come.
struct TensorToWrite {
  TensorInfo info;
  /// Appends exactly info.byte_count() bytes to the file, in chunks.
  std::function<void(OutputFile&)> write;
};

/// Largest size of one output file; transformers' own default.
inline constexpr uint64_t kDefaultShardBytes = uint64_t{5} * 1000 * 1000 * 1000;

/// Writes model.safetensors, or model-0000i-of-0000n.safetensors with model.safetensors.index.json
/// where the whole is larger than `shard_bytes`. Same input, same bytes: tensors in the order
/// given, headers padded to 8 bytes, metadata {"format": "pt"}.
/// `on_bytes` is called with the bytes written since the last call.
/// @throws Error with the path when the disk is full or not writable.
void write_safetensors(const std::filesystem::path& folder,
                       const std::vector<TensorToWrite>& tensors,
                       uint64_t shard_bytes,
                       const std::function<void(int64_t)>& on_bytes);

/// Writes one safetensors file, with what `metadata` holds.
void write_safetensors_file(const std::filesystem::path& path,
                            const std::vector<TensorToWrite>& tensors,
                            const std::map<std::string, std::string>& metadata,
                            const std::function<void(int64_t)>& on_bytes);

}  // namespace slayer
