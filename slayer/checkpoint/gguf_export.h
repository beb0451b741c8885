#pragma once

#include <cstdint>
#include <functional>

#include "slayer/checkpoint/checkpoint.h"
#include "slayer/checkpoint/ggml_type.h"
#include "slayer/core/output_file.h"

namespace slayer {

/// Writes a checkpoint as a GGUF that llama.cpp loads, streamed in chunks of a few megabytes.
/// Matrices are stored as `type` (F32, F16, BF16 or Q8_0; F16 where Q8_0's blocks of 32 do not fit
/// a row), vectors as F32. `on_bytes` is called with the bytes of tensors written since the last
/// call.
/// @throws Error for an incomplete model, a tokenizer or attention that a GGUF cannot hold, and
/// when the disk is full.
void export_gguf(const Checkpoint& checkpoint,
                 OutputFile& output,
                 GgmlType type,
                 const std::function<void(int64_t)>& on_bytes);

/// Whether a GGUF can hold this model and its tokenizer, without reading weights.
/// @throws Error as export_gguf.
void require_gguf_can_hold(const Checkpoint& checkpoint);

/// What export_gguf will report in all.
int64_t exported_bytes(const Checkpoint& checkpoint, GgmlType type);

}  // namespace slayer
