#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "slayer/checkpoint/config.h"
#include "slayer/core/dtype.h"
#include "slayer/core/mapped_file.h"

namespace slayer {

/// A tensor as a checkpoint holds it.
struct TensorInfo {
  std::string name;  ///< Hugging Face's name, also for a GGUF.
  Dtype dtype;       ///< As stored; float32 for a GGUF's quantised types, which read so.
  std::vector<int64_t> shape;

  int64_t element_count() const;
  int64_t byte_count() const;  ///< element_count times the element size.
};

/// Where a tensor's bytes lie, row-major and little-endian.
struct StoredBytes {
  const MappedFile* file;
  uint64_t offset;
  uint64_t size;

  std::span<const std::byte> bytes() const { return file->bytes().subspan(offset, size); }
};

/// A checkpoint open for reading: a Hugging Face folder or a GGUF file, both seen under Hugging
/// Face's names. Opening reads headers only and checks them against the files' sizes; copies share
/// the open files.
class Checkpoint final {
 public:
  /// @throws Error when the path is neither, a header is corrupt, or config.json is refused.
  static Checkpoint open(const std::filesystem::path& path);

  const std::filesystem::path& path() const;
  bool is_gguf() const;
  const ModelConfig& config() const;

  /// In the order of their names.
  const std::vector<TensorInfo>& tensors() const;
  const TensorInfo* find(std::string_view name) const;  ///< nullptr when absent.

  /// What differs from what config.json demands: missing, unexpected, wrong-shaped tensors, holes
  /// in layer numbers, dtypes that cannot be loaded. One line each; empty when all is well.
  std::vector<std::string> problems() const;

  /// @throws Error listing all problems at once.
  void require_complete() const;

  /// The stored bytes where the stored form is a plain dtype in Hugging Face's layout; nothing for
  /// a GGUF's quantised or permuted tensors, which only `read` gives.
  std::optional<StoredBytes> stored(const TensorInfo& tensor) const;

  /// Elements [begin, begin + values.size()) in row-major order, as float32.
  /// @throws Error when the dtype is not a float.
  void read(const TensorInfo& tensor, int64_t begin, std::span<float> values) const;

  /// The files beside the weights, by name: tokenizer.json, tokenizer_config.json,
  /// special_tokens_map.json, generation_config.json, chat_template.jinja, tokenizer.model, ...
  /// Made from the metadata for a GGUF.
  std::map<std::string, std::string> side_files() const;

  /// The checkpoint's fingerprint, see design: SHA-256 over canonical architecture fields, names,
  /// shapes, dtypes and 4 KiB from the beginning, middle and end of each tensor.
  std::string hash() const;

 private:
  struct State;
  explicit Checkpoint(std::shared_ptr<const State> state);
  std::shared_ptr<const State> state_;
};

}  // namespace slayer
