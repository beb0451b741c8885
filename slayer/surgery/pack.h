#pragma once

#include <filesystem>
#include <vector>

#include "slayer/checkpoint/checkpoint.h"
#include "slayer/surgery/model_folder.h"

namespace slayer {

// A pack is a safetensors file with the tensors of the layers that slayer made or trained, under
// their names in the checkpoint. Its metadata's "slayer" entry is JSON: the surgery record, the
// small files (config.json, slayer.json, README.md, generation_config.json) and, for each tensor
// that comes from the base, its dtype and SHA-256. Those are taken from the checkpoint itself,
// where they are copies, so packing needs no base; a base with any other bytes is refused at
// unpacking.

/// Writes the pack of a checkpoint that surgery made, trained or not.
/// @throws Error when the checkpoint has no slayer.json, does not fit it, or the disk fails;
/// Interrupted when asked to stop. Either way nothing is left under `out`.
void pack(const Checkpoint& checkpoint,
          const std::filesystem::path& out,
          const WriteOptions& options);

/// Gives back the checkpoint that was packed, its weights bit for bit; of several packs of one base
/// the model that has them all, composed as in compose.h.
/// @throws Error for a damaged pack, another base (by hash, then by every tensor's SHA-256), packs
/// that conflict, a failing disk; Interrupted when asked to stop. Either way nothing is left under
/// `out`.
void unpack(const Checkpoint& base,
            const std::vector<std::filesystem::path>& packs,
            const std::filesystem::path& out,
            const WriteOptions& options);

}  // namespace slayer
