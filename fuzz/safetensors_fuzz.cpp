#include <cstdint>
#include <span>

#include "slayer/checkpoint/safetensors.h"
#include "slayer/core/error.h"

/// Any bytes as a safetensors file: entries that lie inside the file, or an Error.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  try {
    for (const auto& entry : slayer::parse_safetensors_header(bytes, "fuzz.safetensors").entries) {
      const auto count = static_cast<uint64_t>(entry.info.byte_count());
      if (entry.offset > size || count > size - entry.offset) {
        __builtin_trap();
      }
    }
  } catch (const slayer::Error&) {
  }
  return 0;
}
