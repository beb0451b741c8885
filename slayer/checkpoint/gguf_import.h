#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "slayer/checkpoint/checkpoint.h"

namespace slayer {

/// Writes an open GGUF into `folder` as a Hugging Face checkpoint: config.json, tokenizer files and
/// weights rounded to `dtype`, streamed in chunks of a few megabytes.
/// `on_bytes` is called with the bytes of weights written since the last call.
/// @throws Error for an incomplete model or tokenizer, and when the folder cannot be written.
void import_gguf(const Checkpoint& gguf,
                 const std::filesystem::path& folder,
                 Dtype dtype,
                 const std::function<void(int64_t)>& on_bytes);

}  // namespace slayer
