#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace slayer {

/// The bytes of a GGUF, piece by piece, so that a test can get any of them wrong. It shares no code
/// with the writer under test.
class GgufBuilder final {
 public:
  uint32_t magic = 0x46554747;
  uint32_t version = 3;
  uint64_t alignment = 32;
  int64_t extra_pairs = 0;    ///< Added to the true count of metadata pairs.
  int64_t extra_tensors = 0;  ///< Added to the true count of tensors.

  /// A pair whose value is already in the file's form.
  GgufBuilder& raw(std::string_view key, uint32_t type, std::string_view value) {
    metadata_ += text(key) + bytes(type);
    metadata_ += value;
    ++pairs_;
    return *this;
  }

  GgufBuilder& u32(std::string_view key, uint32_t value) { return raw(key, 4, bytes(value)); }
  GgufBuilder& f32(std::string_view key, float value) { return raw(key, 6, bytes(value)); }
  GgufBuilder& boolean(std::string_view key, bool value) {
    return raw(key, 7, bytes(static_cast<uint8_t>(value)));
  }
  GgufBuilder& string(std::string_view key, std::string_view value) {
    return raw(key, 8, text(value));
  }
  GgufBuilder& strings(std::string_view key, const std::vector<std::string>& values) {
    std::string all;
    for (const std::string& value : values) {
      all += text(value);
    }
    return array(key, 8, values.size(), all);
  }
  GgufBuilder& i32s(std::string_view key, const std::vector<int32_t>& values) {
    return array(key, 5, values.size(), joined(values));
  }
  GgufBuilder& f32s(std::string_view key, const std::vector<float>& values) {
    return array(key, 6, values.size(), joined(values));
  }
  GgufBuilder& array(std::string_view key, uint32_t type, uint64_t count, std::string_view values) {
    return raw(key, 9, bytes(type) + bytes(count) + std::string(values));
  }

  /// An entry of the tensor list as it stands in the file: dimensions innermost first.
  GgufBuilder& entry(std::string_view name,
                     const std::vector<uint64_t>& dimensions,
                     uint32_t type,
                     uint64_t offset) {
    tensors_ += text(name) + bytes(static_cast<uint32_t>(dimensions.size()));
    tensors_ += joined(dimensions) + bytes(type) + bytes(offset);
    ++tensor_count_;
    return *this;
  }

  /// A float32 tensor with its data at the next aligned place.
  GgufBuilder& tensor(std::string_view name,
                      const std::vector<uint64_t>& dimensions,
                      const std::vector<float>& values) {
    pad(data_);
    entry(name, dimensions, 0, data_.size());
    data_ += joined(values);
    return *this;
  }

  GgufBuilder& data(std::string_view bytes_of_data) {
    data_ += bytes_of_data;
    return *this;
  }

  std::string build() const {
    std::string file = bytes(magic) + bytes(version) +
                       bytes(tensor_count_ + static_cast<uint64_t>(extra_tensors)) +
                       bytes(pairs_ + static_cast<uint64_t>(extra_pairs));
    file += metadata_ + tensors_;
    pad(file);
    return file + data_;
  }

  template <class T>
  static std::string bytes(T value) {
    return {reinterpret_cast<const char*>(&value), sizeof(value)};
  }
  static std::string text(std::string_view value) {
    return bytes(uint64_t{value.size()}) + std::string(value);
  }

 private:
  template <class T>
  static std::string joined(const std::vector<T>& values) {
    return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
  }

  void pad(std::string& file) const {
    file.resize((file.size() + alignment - 1) / alignment * alignment);
  }

  uint64_t pairs_ = 0;
  uint64_t tensor_count_ = 0;
  std::string metadata_;
  std::string tensors_;
  std::string data_;
};

}  // namespace slayer
