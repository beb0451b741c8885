#include "slayer/checkpoint/gguf_import.h"

#include <algorithm>
#include <cassert>
#include <vector>

#include "slayer/checkpoint/writer.h"
#include "slayer/core/file.h"

namespace slayer {
namespace {

/// Elements converted at a time: large enough for the disk, small enough for the cache's last
/// level.
constexpr int64_t kChunk = int64_t{1} << 20;

void write_tensor(const Checkpoint& gguf,
                  const TensorInfo& source,
                  Dtype dtype,
                  OutputFile& output) {
  if (const auto stored = gguf.stored(source); stored && source.dtype == dtype) {
    output.copy_from(*stored->file, stored->offset, stored->size);
    return;
  }
  const int64_t count = source.element_count();
  std::vector<float> values;
  std::vector<std::byte> narrowed;
  for (int64_t begin = 0; begin < count; begin += kChunk) {
    values.resize(static_cast<size_t>(std::min(kChunk, count - begin)));
    narrowed.resize(values.size() * static_cast<size_t>(size_in_bytes(dtype)));
    gguf.read(source, begin, values);
    narrow_from_float(dtype, values, narrowed);
    output.write(narrowed);
  }
}

}  // namespace

void import_gguf(const Checkpoint& gguf,
                 const std::filesystem::path& folder,
                 Dtype dtype,
                 const std::function<void(int64_t)>& on_bytes) {
  assert(gguf.is_gguf());
  gguf.require_complete();
  for (const auto& [name, content] : gguf.side_files()) {
    write_text_file(folder / name, content);
  }
  Json config = gguf.config().json;
  config["torch_dtype"] = torch_name(dtype);
  write_json_file(folder / "config.json", config);

  std::vector<TensorToWrite> tensors;
  for (const TensorInfo& source : gguf.tensors()) {
    TensorInfo target = source;
    target.dtype = dtype;
    tensors.push_back(
        {.info = std::move(target), .write = [&gguf, &source, dtype](OutputFile& output) {
           write_tensor(gguf, source, dtype, output);
         }});
  }
  write_safetensors(folder, tensors, kDefaultShardBytes, on_bytes);
}

}  // namespace slayer
