#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "slayer/checkpoint/ggml_type.h"
#include "slayer/core/output_file.h"

namespace slayer {

/// One tensor of a GGUF to write and how its blocks come.
struct GgufTensorToWrite {
  std::string name;
  std::vector<int64_t> shape;  ///< Row-major; rows are whole blocks of the type.
  GgmlType type;
  /// Appends exactly the tensor's bytes to the file, in chunks.
  std::function<void(OutputFile&)> write;

  uint64_t byte_count() const;
};

/// Builds the header of a GGUF, version 3, and writes it with its tensors.
class GgufWriter final {
 public:
  void add(std::string_view key, std::string_view value);
  void add(std::string_view key, const char* value) { add(key, std::string_view(value)); }
  void add(std::string_view key, uint32_t value);
  void add(std::string_view key, float value);
  void add(std::string_view key, bool value);
  void add(std::string_view key, std::span<const std::string> values);
  void add(std::string_view key, std::span<const int32_t> values);
  void add(std::string_view key, std::span<const float> values);

  void add_tensor(GgufTensorToWrite tensor) { tensors_.push_back(std::move(tensor)); }

  /// Same calls, same bytes: keys and tensors in the order in which they were added.
  /// `on_bytes` is called with the bytes of tensors written since the last call.
  void write(OutputFile& output, const std::function<void(int64_t)>& on_bytes) const;

 private:
  void add_key(std::string_view key, uint32_t value_type);

  uint64_t pair_count_ = 0;
  std::string metadata_;
  std::vector<GgufTensorToWrite> tensors_;
};

}  // namespace slayer
