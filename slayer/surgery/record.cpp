#include "slayer/surgery/record.h"

namespace slayer {
namespace {

constexpr int64_t kFormat = 1;

}  // namespace

Json record_to_json(const SurgeryRecord& record) {
  return {{"format", kFormat},
          {"version", record.version},
          {"source", record.source},
          {"plan", plan_to_json(record.plan)},
          {"origins", describe_layers(record.plan)}};
}

SurgeryRecord record_from_json(const Json& json, const std::string& file) {
  const JsonObject object(json, file);
  object.integer("format", kFormat, kFormat);
  return {.plan = plan_from_json(object.object("plan").json(), file + ": plan"),
          .source = object.string("source"),
          .version = object.string("version")};
}

std::optional<SurgeryRecord> find_surgery_record(const std::filesystem::path& checkpoint) {
  const std::filesystem::path path = checkpoint / kRecordFile;
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    return std::nullopt;
  }
  const Json json = read_json_file(path);
  const bool has_plan = !json.is_object() || json.contains("plan") || !json.contains("training");
  return has_plan ? std::optional(record_from_json(json, path.string())) : std::nullopt;
}

}  // namespace slayer
