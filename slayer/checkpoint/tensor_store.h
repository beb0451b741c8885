#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "slayer/checkpoint/checkpoint.h"

namespace slayer {

/// What stands behind Checkpoint: one format on disk, its header read and checked. Inside the
/// module only. Tensors are named by their index in `tensors()`.
class TensorStore {
 public:
  TensorStore() = default;
  TensorStore(const TensorStore&) = delete;
  TensorStore& operator=(const TensorStore&) = delete;
  virtual ~TensorStore() = default;

  virtual const ModelConfig& config() const = 0;
  virtual const std::vector<TensorInfo>& tensors() const = 0;  ///< In the order of their names.

  /// The bytes that hold the tensor, encoded as the file has them.
  virtual StoredBytes file_bytes(size_t index) const = 0;

  /// True when `file_bytes` are the tensor's elements, of its dtype, in Hugging Face's layout.
  virtual bool is_plain(size_t index) const = 0;

  /// As Checkpoint::read, for tensors that are not plain. The range is inside the tensor.
  virtual void read_encoded(size_t index, int64_t begin, std::span<float> values) const = 0;

  virtual std::map<std::string, std::string> side_files() const = 0;
};

/// The two formats. @throws Error as Checkpoint::open.
std::unique_ptr<TensorStore> open_folder(const std::filesystem::path& folder);
std::unique_ptr<TensorStore> open_gguf(const std::filesystem::path& file);

}  // namespace slayer
