#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <set>
#include <string_view>
#include <utility>

#include "slayer/checkpoint/safetensors.h"
#include "slayer/checkpoint/shard_index.h"
#include "slayer/checkpoint/tensor_store.h"
#include "slayer/core/error.h"
#include "slayer/core/file.h"
#include "slayer/core/json.h"

namespace slayer {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kConfig = "config.json";
constexpr std::string_view kSingleFile = "model.safetensors";
constexpr std::string_view kIndex = "model.safetensors.index.json";
constexpr std::string_view kExtraTemplates = "additional_chat_templates";
// Small files by nature; a hostile one must not fill the memory.
constexpr uint64_t kMaxConfigBytes = uint64_t{16} << 20U;
constexpr uint64_t kMaxIndexBytes = uint64_t{256} << 20U;

/// What a checkpoint needs beside its weights, and the licence that binds those who pass it on.
constexpr std::array kSideFiles{"tokenizer.json",
                                "tokenizer_config.json",
                                "special_tokens_map.json",
                                "added_tokens.json",
                                "generation_config.json",
                                "chat_template.jinja",
                                "chat_template.json",
                                "tokenizer.model",
                                "vocab.json",
                                "merges.txt",
                                "LICENSE",
                                "LICENSE.txt",
                                "LICENSE.md",
                                "NOTICE",
                                "NOTICE.txt",
                                "USE_POLICY.md"};

bool is_listed(const fs::path& path) {
  std::error_code ignored;
  // Not followed: a dangling or circular link must fail when opened, not look absent.
  return fs::exists(fs::symlink_status(path, ignored));
}

[[noreturn]] void refuse_without_weights(const fs::path& folder) {
  const bool is_pickle =
      is_listed(folder / "pytorch_model.bin") || is_listed(folder / "pytorch_model.bin.index.json");
  if (is_pickle) {
    throw Error(
        {.file = folder.string(),
         .found = "pytorch_model.bin, a pickle that can run code",
         .expected = std::string(kSingleFile),
         .hint = fmt::format("convert it where you trust it: python -c \"from transformers import "
                             "AutoModelForCausalLM as M; M.from_pretrained('{0}', "
                             "dtype='auto').save_pretrained('{0}')\"",
                             folder.string())});
  }
  throw Error({.file = folder.string(),
               .found = "no weights",
               .expected = fmt::format("{} or {}", kSingleFile, kIndex)});
}

/// The files that hold weights, each mapped, with what the index says of them.
struct Shards {
  std::vector<std::string> names;
  std::map<std::string, std::string> shard_of;  ///< By tensor; empty without an index.
};

Shards find_shards(const fs::path& folder) {
  // As transformers does: the single file wins over an index.
  if (is_listed(folder / kSingleFile)) {
    return {.names = {std::string(kSingleFile)}, .shard_of = {}};
  }
  const fs::path index = folder / kIndex;
  if (!is_listed(index)) {
    refuse_without_weights(folder);
  }
  Shards shards;
  shards.shard_of = parse_shard_index(read_text_file(index, kMaxIndexBytes), index.string());
  std::set<std::string> names;
  for (const auto& [tensor, shard] : shards.shard_of) {
    if (names.insert(shard).second && !is_listed(folder / shard)) {
      throw Error({.file = index.string(),
                   .item = printable(tensor),
                   .found = "shard " + shard + ", which is not there",
                   .expected = "all shards beside the index",
                   .hint = "an unfinished download?"});
    }
  }
  shards.names.assign(names.begin(), names.end());
  return shards;
}

ModelConfig read_config(const fs::path& folder) {
  const fs::path path = folder / kConfig;
  if (!is_listed(path)) {
    throw Error({.file = folder.string(),
                 .found = "no config.json",
                 .expected = "a Hugging Face checkpoint folder"});
  }
  const std::string file = path.string();
  return parse_model_config(parse_json(read_text_file(path, kMaxConfigBytes), file), file);
}

/// A Hugging Face folder: config.json, safetensors, and the files beside them.
class FolderStore final : public TensorStore {
 public:
  explicit FolderStore(fs::path folder)
      : folder_(std::move(folder)), config_(read_config(folder_)) {
    const Shards shards = find_shards(folder_);
    std::vector<Located> located;
    for (const std::string& name : shards.names) {
      append_shard(name, located);
    }
    std::ranges::stable_sort(located, {}, [](const Located& tensor) { return tensor.info.name; });
    require_unique(located);
    require_agreement(located, shards);
    for (Located& tensor : located) {
      bytes_.push_back(tensor.bytes);
      tensors_.push_back(std::move(tensor.info));
    }
  }

  const ModelConfig& config() const override { return config_; }
  const std::vector<TensorInfo>& tensors() const override { return tensors_; }
  StoredBytes file_bytes(size_t index) const override { return bytes_[index]; }
  bool is_plain(size_t /*index*/) const override { return true; }
  void read_encoded(size_t /*index*/,
                    int64_t /*begin*/,
                    std::span<float> /*values*/) const override {
    std::abort();  // Never called: all are plain.
  }
  std::map<std::string, std::string> side_files() const override;

 private:
  struct Located {
    TensorInfo info;
    StoredBytes bytes;
  };

  void append_shard(const std::string& name, std::vector<Located>& located) {
    files_.push_back(std::make_unique<MappedFile>(folder_ / name));
    const MappedFile& file = *files_.back();
    for (SafetensorsEntry& entry :
         parse_safetensors_header(file.bytes(), file.path().string()).entries) {
      const auto size = static_cast<uint64_t>(entry.info.byte_count());
      located.push_back({.info = std::move(entry.info),
                         .bytes = {.file = &file, .offset = entry.offset, .size = size}});
    }
  }

  static void require_unique(const std::vector<Located>& sorted) {
    const auto twin = std::ranges::adjacent_find(
        sorted, {}, [](const Located& tensor) -> const std::string& { return tensor.info.name; });
    if (twin != sorted.end()) {
      throw Error(
          {.file = (twin + 1)->bytes.file->path().string(),
           .item = printable(twin->info.name),
           .found = "a tensor that " + twin->bytes.file->path().filename().string() + " holds too",
           .expected = "each tensor once"});
    }
  }

  /// Every tensor that the index names lies where it says.
  void require_agreement(const std::vector<Located>& sorted, const Shards& shards) const {
    for (const auto& [name, shard] : shards.shard_of) {
      const auto found = std::ranges::lower_bound(
          sorted, name, {}, [](const Located& tensor) -> const std::string& {
            return tensor.info.name;
          });
      const bool is_there = found != sorted.end() && found->info.name == name;
      const std::string holder = is_there ? found->bytes.file->path().filename().string() : "";
      if (holder != shard) {
        throw Error({.file = (folder_ / kIndex).string(),
                     .item = printable(name),
                     .found = "shard " + shard + ", which does not hold it",
                     .expected = is_there ? holder : "an index of what the shards hold"});
      }
    }
  }

  fs::path folder_;
  ModelConfig config_;
  std::vector<std::unique_ptr<MappedFile>> files_;
  std::vector<TensorInfo> tensors_;
  std::vector<StoredBytes> bytes_;
};

std::map<std::string, std::string> FolderStore::side_files() const {
  std::map<std::string, std::string> files;
  for (const char* name : kSideFiles) {
    if (is_listed(folder_ / name)) {
      files[name] = read_text_file(folder_ / name);
    }
  }
  const fs::path templates = folder_ / kExtraTemplates;
  std::error_code ignored;
  if (fs::is_directory(templates, ignored)) {
    for (const auto& entry : fs::directory_iterator(templates)) {
      if (entry.path().extension() == ".jinja") {
        files[fmt::format("{}/{}", kExtraTemplates, entry.path().filename().string())] =
            read_text_file(entry.path());
      }
    }
  }
  return files;
}

}  // namespace

std::unique_ptr<TensorStore> open_folder(const fs::path& folder) {
  return std::make_unique<FolderStore>(folder);
}

}  // namespace slayer
