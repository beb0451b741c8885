#include "slayer/surgery/pack_file.h"

#include <algorithm>
#include <fmt/format.h>

#include "slayer/checkpoint/safetensors.h"
#include "slayer/core/error.h"

namespace slayer {
namespace {

constexpr int64_t kFormat = 1;
constexpr const char* kManifestKey = "slayer_pack";
constexpr std::array kPackedDtypes{Dtype::kF64, Dtype::kF32, Dtype::kF16, Dtype::kBF16};

std::map<std::string, std::string> files_from_json(const JsonObject& object) {
  object.refuse_unknown_keys({kPackedFiles.begin(), kPackedFiles.end()});
  std::map<std::string, std::string> files;
  for (const auto& [name, content] : object.json().items()) {
    files[name] = object.string(name);
  }
  return files;
}

std::map<std::string, BaseTensor> base_tensors_from_json(const JsonObject& object) {
  std::map<std::string, BaseTensor> tensors;
  for (const auto& [name, value] : object.json().items()) {
    const JsonObject tensor = object.object(name);
    const std::string dtype = tensor.string("dtype");
    const auto known = std::ranges::find(kPackedDtypes, dtype, safetensors_name);
    if (known == kPackedDtypes.end()) {
      tensor.fail("dtype", printable(dtype), "F64, F32, F16 or BF16");
    }
    tensors[name] = {.dtype = *known, .sha256 = tensor.string("sha256")};
  }
  return tensors;
}

PackManifest manifest_from_metadata(const std::map<std::string, std::string>& metadata,
                                    const std::string& file) {
  const auto text = metadata.find(kManifestKey);
  if (text == metadata.end()) {
    throw Error({.file = file,
                 .item = fmt::format("metadata {}", kManifestKey),
                 .found = "nothing",
                 .expected = "a pack, as slayer pack writes it"});
  }
  const Json json = parse_json(text->second, file);
  const JsonObject object(json, file);
  object.integer("format", kFormat, kFormat);
  return {.record = record_from_json(object.object("record").json(), file),
          .files = files_from_json(object.object("files")),
          .base_tensors = base_tensors_from_json(object.object("base_tensors"))};
}

}  // namespace

std::map<std::string, std::string> manifest_to_metadata(const PackManifest& manifest) {
  Json base_tensors = Json::object();
  for (const auto& [name, tensor] : manifest.base_tensors) {
    base_tensors[name] = {{"dtype", safetensors_name(tensor.dtype)}, {"sha256", tensor.sha256}};
  }
  const Json json = {{"format", kFormat},
                     {"record", record_to_json(manifest.record)},
                     {"files", manifest.files},
                     {"base_tensors", std::move(base_tensors)}};
  return {{"format", "pt"}, {kManifestKey, compact_text(json)}};
}

PackFile::PackFile(const std::filesystem::path& path) : file_(path) {
  SafetensorsHeader header = parse_safetensors_header(file_.bytes(), name());
  manifest_ = manifest_from_metadata(header.metadata, name());
  for (SafetensorsEntry& entry : header.entries) {
    const std::string tensor = entry.info.name;
    tensors_.emplace(tensor, Located{.info = std::move(entry.info), .offset = entry.offset});
  }
}

const TensorInfo& PackFile::info(const std::string& tensor) const {
  const auto located = tensors_.find(tensor);
  if (located == tensors_.end()) {
    throw Error({.file = name(), .item = tensor, .found = "nothing", .expected = "this tensor"});
  }
  return located->second.info;
}

StoredBytes PackFile::stored(const std::string& tensor) const {
  const Located& located = tensors_.at(tensor);
  return {.file = &file_,
          .offset = located.offset,
          .size = static_cast<uint64_t>(located.info.byte_count())};
}

}  // namespace slayer
