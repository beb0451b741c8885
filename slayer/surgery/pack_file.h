#pragma once

#include <array>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "slayer/checkpoint/checkpoint.h"
#include "slayer/core/mapped_file.h"
#include "slayer/surgery/record.h"

namespace slayer {

/// A tensor that a packed checkpoint has from its base.
struct BaseTensor {
  Dtype dtype;         ///< As the packed checkpoint stored it.
  std::string sha256;  ///< Of its bytes.
};

/// What a pack says beside its tensors.
struct PackManifest {
  SurgeryRecord record;
  std::map<std::string, std::string> files;        ///< The small files of the checkpoint.
  std::map<std::string, BaseTensor> base_tensors;  ///< By the base's name.
};

/// The files that a pack carries: those that surgery or training may write anew.
inline constexpr std::array<std::string_view, 4> kPackedFiles{
    "config.json", "generation_config.json", "slayer.json", "README.md"};

/// The manifest as the safetensors metadata of a pack.
std::map<std::string, std::string> manifest_to_metadata(const PackManifest& manifest);

/// An open pack.
class PackFile final {
 public:
  /// @throws Error for a file that is not a pack or is damaged.
  explicit PackFile(const std::filesystem::path& path);

  std::string name() const { return file_.path().string(); }
  const PackManifest& manifest() const { return manifest_; }

  /// @throws Error when the pack lacks the tensor.
  const TensorInfo& info(const std::string& name) const;
  StoredBytes stored(const std::string& name) const;  ///< Of a tensor that it has.

 private:
  struct Located {
    TensorInfo info;
    uint64_t offset;
  };

  MappedFile file_;
  PackManifest manifest_;
  std::map<std::string, Located> tensors_;
};

}  // namespace slayer
