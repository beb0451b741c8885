#pragma once

#include <string>

#include "slayer/checkpoint/tensor_store.h"

namespace slayer {

/// Checkpoint::hash. SHA-256 over, each line ended by "\n":
/// 1. "slayer checkpoint 1";
/// 2. "field=value" for the architecture's fields in the order of ModelConfig, after parsing, so
///    that it is the same however transformers spelled them: numbers as their shortest decimal,
///    booleans as 0 or 1, windows separated by commas ("-" for full attention). Token ids, the
///    dtype field and the context length are left out: they do not change what weights compute;
/// 3. for each tensor in the order of names, leaving out ignored ones: "name dtype [shape]", then
///    its bytes as the file has them: all of them up to 12 KiB, else 4 KiB from the beginning, from
///    the middle (size / 2 - 2 KiB) and from the end.
/// Sharding, the order of tensors and metadata do not matter.
std::string fingerprint(const TensorStore& store);

}  // namespace slayer
