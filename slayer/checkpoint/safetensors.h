#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "slayer/checkpoint/checkpoint.h"

namespace slayer {

/// One tensor of a safetensors file and where its bytes lie.
struct SafetensorsEntry {
  TensorInfo info;
  uint64_t offset = 0;  ///< From the beginning of the file.
};

/// The header of a safetensors file, checked.
struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;        ///< In the order of their bytes.
  std::map<std::string, std::string> metadata;  ///< `__metadata__`.
};

/// Parses and checks the header at the beginning of a file: 8 bytes of little-endian length, JSON,
/// then the tensors' bytes, which must fill the file without gap or overlap.
/// `file` is named in errors.
/// @throws Error when anything does not fit `bytes.size()`, the whole file's size.
/// Source: https://huggingface.co/docs/safetensors, "Format".
SafetensorsHeader parse_safetensors_header(std::span<const std::byte> bytes,
                                           const std::string& file);

}  // namespace slayer
