#include <cstdint>
#include <filesystem>
#include <string_view>

#include "slayer/checkpoint/shard_index.h"
#include "slayer/core/error.h"

/// Any bytes as model.safetensors.index.json: shard names that stay in the folder, or an Error.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    for (const auto& [tensor, shard] : slayer::parse_shard_index(text, "index.json")) {
      if (std::filesystem::path(shard).filename() != shard || shard.starts_with('.')) {
        __builtin_trap();
      }
    }
  } catch (const slayer::Error&) {
  }
  return 0;
}
