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

#include "slayer/checkpoint/ggml_type.h"
#include "slayer/checkpoint/gguf_value.h"
#include "slayer/core/mapped_file.h"

namespace slayer {

/// One tensor as the file lists it.
struct GgufTensor {
  std::string name;            ///< The format's own name, e.g. "blk.0.attn_q.weight".
  std::vector<int64_t> shape;  ///< Row-major, so the reverse of the file's order.
  GgmlType type;
  uint64_t offset;  ///< From the beginning of the file.
  uint64_t size;    ///< Bytes.

  int64_t element_count() const;
};

/// A GGUF file (version 2 or 3), mapped: its metadata and tensor list, every count, length and
/// offset checked against the file. Copies share the mapping.
/// Source: the GGUF specification (ggml, docs/gguf.md).
class GgufFile final {
 public:
  /// @throws Error naming the file, the key or tensor, what was found and what was expected.
  static GgufFile open(const std::filesystem::path& path);

  std::string file_name() const { return file_->path().string(); }
  const MappedFile& mapped() const { return *file_; }
  const std::vector<GgufTensor>& tensors() const { return tensors_; }  ///< In the file's order.
  const GgufTensor* find(std::string_view name) const;                 ///< nullptr when absent.
  std::span<const std::byte> bytes(const GgufTensor& tensor) const;

  bool has(std::string_view key) const { return metadata_.contains(key); }
  bool is_array(std::string_view key) const;  ///< False when missing.

  /// Typed access to the metadata; every failure names the file and the key.
  /// @throws Error when the key is missing, of another type, outside the range, or not UTF-8.
  int64_t integer(std::string_view key, int64_t low, int64_t high) const;
  double number(std::string_view key) const;
  bool boolean(std::string_view key) const;
  std::string string(std::string_view key) const;
  std::vector<std::string_view> strings(std::string_view key) const;
  std::vector<int64_t> integers(std::string_view key, int64_t low, int64_t high) const;
  std::vector<double> numbers(std::string_view key) const;

  /// As above, or `fallback` when the key is missing.
  bool boolean_or(std::string_view key, bool fallback) const;
  std::string string_or(std::string_view key, std::string_view fallback) const;
  std::optional<int64_t> optional_integer(std::string_view key, int64_t low, int64_t high) const;

  /// An error about a key or tensor of this file, for the caller to throw.
  [[noreturn]] void fail(std::string_view item,
                         std::string found,
                         std::string expected,
                         std::string hint = "") const;

 private:
  GgufFile() = default;
  const GgufValue& value(std::string_view key) const;
  const GgufValue::Array& array(std::string_view key) const;

  std::shared_ptr<const MappedFile> file_;
  std::map<std::string, GgufValue, std::less<>> metadata_;
  std::vector<GgufTensor> tensors_;
};

/// The float32's value as the double with the shortest decimal form that reads back to the same
/// float32: 9.99999975e-06F is 1e-05.
double shortest_double(float value);

}  // namespace slayer
