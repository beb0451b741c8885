#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "slayer/core/json.h"
#include "slayer/surgery/record.h"

namespace slayer {

/// A plan that keeps `layers` layers as they are and trains some.
inline Plan training_plan(int64_t layers, const std::vector<int64_t>& trained) {
  Plan plan{.strategy = "custom", .source_layers = layers};
  for (int64_t layer = 0; layer < layers; ++layer) {
    plan.layers.push_back({.from = {layer}, .train = std::ranges::count(trained, layer) > 0});
  }
  return plan;
}

/// A copy of the tiny SmolLM2 with a plan that trains layers 1 and 3 of its 4.
inline std::filesystem::path write_training_checkpoint(const std::filesystem::path& folder) {
  std::filesystem::copy(SLAYER_FIXTURES "/models/smollm", folder);
  std::filesystem::remove(folder / "reference.safetensors");
  const SurgeryRecord record{
      .plan = training_plan(4, {1, 3}), .source = "smollm", .version = "0.1.0"};
  write_json_file(folder / kRecordFile, record_to_json(record));
  return folder;
}

}  // namespace slayer
