#include "slayer/surgery/model_folder.h"

#include "slayer/surgery/tensor_stream.h"

namespace slayer {
namespace {

namespace fs = std::filesystem;

int64_t total_bytes(const ModelFolder& folder) {
  int64_t total = 0;
  for (const TensorToWrite& tensor : folder.tensors) {
    total += tensor.info.byte_count();
  }
  for (const auto& [name, content] : folder.files) {
    total += static_cast<int64_t>(content.size());
  }
  return total;
}

}  // namespace

void write_model_folder(const ModelFolder& folder,
                        const fs::path& out,
                        const WriteOptions& options) {
  const int64_t total = total_bytes(folder);
  StagedFolder staged(out, options.force);
  require_free_space(staged.path(), static_cast<uint64_t>(total));
  Progress progress("writing", total, "bytes", options.progress);
  for (const auto& [name, content] : folder.files) {
    write_text_file(staged.path() / name, content);
    progress.advance(static_cast<int64_t>(content.size()));
  }
  write_safetensors(staged.path(), folder.tensors, options.shard_bytes, [&](int64_t bytes) {
    progress.advance(bytes);
    throw_if_stopped(options.stop);
  });
  staged.commit();
  progress.finish();
}

}  // namespace slayer
