#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "slayer/core/json.h"
#include "slayer/surgery/plan.h"

namespace slayer {

inline constexpr std::string_view kRecordFile = "slayer.json";

/// slayer.json: what surgery did to make a checkpoint. Training reads from it which layers train.
struct SurgeryRecord {
  Plan plan;            ///< With the source's hash.
  std::string source;   ///< The source's file or folder name, without its path.
  std::string version;  ///< Of the slayer that wrote it.

  bool operator==(const SurgeryRecord&) const = default;
};

/// Each layer's origin stands beside the plan, for a person to read ("new after 5: average of 5 and
/// 6, zero output").
Json record_to_json(const SurgeryRecord& record);

/// @throws Error as plan_from_json; keys that others added are passed over.
SurgeryRecord record_from_json(const Json& json, const std::string& file);

/// The record of a checkpoint folder; nothing when it has none, or only what a training left that
/// followed no plan.
std::optional<SurgeryRecord> find_surgery_record(const std::filesystem::path& checkpoint);

}  // namespace slayer
