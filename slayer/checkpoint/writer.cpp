#include "slayer/checkpoint/writer.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <fmt/format.h>
#include <map>
#include <span>
#include <utility>

#include "slayer/core/json.h"

namespace slayer {
namespace fs = std::filesystem;
namespace {

constexpr size_t kHeaderAlignment = 8;

using Shard = std::vector<const TensorToWrite*>;
using Metadata = std::map<std::string, std::string>;

/// What transformers wants to see in each file.
const Metadata& transformers_metadata() {
  static const Metadata metadata{{"format", "pt"}};
  return metadata;
}

/// Tensors in order, a new shard where the next would not fit; a tensor larger than a shard gets
/// one of its own.
std::vector<Shard> split_into_shards(const std::vector<TensorToWrite>& tensors,
                                     uint64_t shard_bytes) {
  std::vector<Shard> shards(1);
  uint64_t filled = 0;
  for (const TensorToWrite& tensor : tensors) {
    const auto size = static_cast<uint64_t>(tensor.info.byte_count());
    if (!shards.back().empty() && filled + size > shard_bytes) {
      shards.emplace_back();
      filled = 0;
    }
    shards.back().push_back(&tensor);
    filled += size;
  }
  return shards;
}

std::string safetensors_header(const Shard& shard, const Metadata& metadata) {
  Json header;
  header["__metadata__"] = metadata;
  int64_t offset = 0;
  for (const TensorToWrite* tensor : shard) {
    const int64_t end = offset + tensor->info.byte_count();
    header[tensor->info.name] = {{"dtype", safetensors_name(tensor->info.dtype)},
                                 {"shape", tensor->info.shape},
                                 {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = compact_text(header);
  text.resize((text.size() + kHeaderAlignment - 1) / kHeaderAlignment * kHeaderAlignment, ' ');
  return text;
}

void write_shard(const fs::path& path,
                 Shard shard,
                 const Metadata& metadata,
                 const std::function<void(int64_t)>& on_bytes) {
  // Wide elements first keep every tensor aligned to its element, which some readers rely on.
  std::ranges::stable_sort(shard, std::ranges::greater(), [](const TensorToWrite* tensor) {
    return size_in_bytes(tensor->info.dtype);
  });
  OutputFile file(path);
  const std::string header = safetensors_header(shard, metadata);
  const uint64_t length = header.size();
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(header);
  uint64_t reported = 0;
  for (const TensorToWrite* tensor : shard) {
    [[maybe_unused]] const uint64_t begin = file.size();
    tensor->write(file);
    assert(file.size() == begin + static_cast<uint64_t>(tensor->info.byte_count()));
    on_bytes(static_cast<int64_t>(file.size() - std::exchange(reported, file.size())));
  }
  file.close();
}

void write_index(const fs::path& folder,
                 const std::vector<Shard>& shards,
                 const std::vector<std::string>& names) {
  std::map<std::string, std::string> shard_of;
  int64_t total_size = 0;
  for (size_t shard = 0; shard < shards.size(); ++shard) {
    for (const TensorToWrite* tensor : shards[shard]) {
      shard_of.emplace(tensor->info.name, names[shard]);
      total_size += tensor->info.byte_count();
    }
  }
  Json index;
  index["metadata"]["total_size"] = total_size;
  index["weight_map"] = shard_of;
  write_json_file(folder / "model.safetensors.index.json", index);
}

}  // namespace

void write_safetensors(const fs::path& folder,
                       const std::vector<TensorToWrite>& tensors,
                       uint64_t shard_bytes,
                       const std::function<void(int64_t)>& on_bytes) {
  const std::vector<Shard> shards = split_into_shards(tensors, shard_bytes);
  if (shards.size() == 1) {
    write_shard(folder / "model.safetensors", shards.front(), transformers_metadata(), on_bytes);
    return;
  }
  std::vector<std::string> names;
  for (size_t shard = 1; shard <= shards.size(); ++shard) {
    names.push_back(fmt::format("model-{:05}-of-{:05}.safetensors", shard, shards.size()));
  }
  for (size_t shard = 0; shard < shards.size(); ++shard) {
    write_shard(folder / names[shard], shards[shard], transformers_metadata(), on_bytes);
  }
  write_index(folder, shards, names);
}

void write_safetensors_file(const fs::path& path,
                            const std::vector<TensorToWrite>& tensors,
                            const std::map<std::string, std::string>& metadata,
                            const std::function<void(int64_t)>& on_bytes) {
  Shard shard;
  for (const TensorToWrite& tensor : tensors) {
    shard.push_back(&tensor);
  }
  write_shard(path, std::move(shard), metadata, on_bytes);
}

}  // namespace slayer
