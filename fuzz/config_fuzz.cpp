#include <cstdint>
#include <numeric>
#include <string_view>
#include <vector>

#include "slayer/checkpoint/config.h"
#include "slayer/checkpoint/family.h"
#include "slayer/core/error.h"

/// Any bytes as config.json: a config whose tensors can be listed and whose layers can be
/// reordered, or an Error.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const slayer::ModelConfig config =
        slayer::parse_model_config(slayer::parse_json(text, "config.json"), "config.json");
    if (slayer::parameter_count(config) <= 0) {
      __builtin_trap();
    }
    std::vector<int64_t> reversed(static_cast<size_t>(config.num_hidden_layers));
    std::iota(reversed.rbegin(), reversed.rend(), int64_t{0});
    const slayer::ModelConfig reordered = slayer::with_layers(config, reversed);
    // What surgery writes must read back as what it meant.
    const slayer::ModelConfig again = slayer::parse_model_config(reordered.json, "config.json");
    if (again.sliding_window != reordered.sliding_window) {
      __builtin_trap();
    }
  } catch (const slayer::Error&) {
  }
  return 0;
}
