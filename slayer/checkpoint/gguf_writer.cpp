#include "slayer/checkpoint/gguf_writer.h"

#include <algorithm>
#include <cassert>
#include <functional>
#include <numeric>
#include <ranges>

namespace slayer {
namespace {

constexpr uint32_t kVersion = 3;
constexpr uint64_t kAlignment = 32;  // What readers assume without general.alignment.

// The format's numbers of value types.
constexpr uint32_t kUint32 = 4;
constexpr uint32_t kInt32 = 5;
constexpr uint32_t kFloat32 = 6;
constexpr uint32_t kBool = 7;
constexpr uint32_t kString = 8;
constexpr uint32_t kArray = 9;

template <class T>
void append(std::string& bytes, T value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void append_text(std::string& bytes, std::string_view text) {
  append(bytes, uint64_t{text.size()});
  bytes += text;
}

uint64_t aligned(uint64_t offset) { return (offset + kAlignment - 1) / kAlignment * kAlignment; }

void pad(OutputFile& output) {
  output.write(std::string(aligned(output.size()) - output.size(), '\0'));
}

}  // namespace

uint64_t GgufTensorToWrite::byte_count() const {
  const GgmlLayout& layout = layout_of(type);
  assert(shape.back() % layout.block_elements == 0);
  const auto count = std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
  return static_cast<uint64_t>(count / layout.block_elements * layout.block_bytes);
}

void GgufWriter::add_key(std::string_view key, uint32_t value_type) {
  append_text(metadata_, key);
  append(metadata_, value_type);
  ++pair_count_;
}

void GgufWriter::add(std::string_view key, std::string_view value) {
  add_key(key, kString);
  append_text(metadata_, value);
}

void GgufWriter::add(std::string_view key, uint32_t value) {
  add_key(key, kUint32);
  append(metadata_, value);
}

void GgufWriter::add(std::string_view key, float value) {
  add_key(key, kFloat32);
  append(metadata_, value);
}

void GgufWriter::add(std::string_view key, bool value) {
  add_key(key, kBool);
  append(metadata_, uint8_t{value});
}

void GgufWriter::add(std::string_view key, std::span<const std::string> values) {
  add_key(key, kArray);
  append(metadata_, kString);
  append(metadata_, uint64_t{values.size()});
  for (const std::string& value : values) {
    append_text(metadata_, value);
  }
}

void GgufWriter::add(std::string_view key, std::span<const int32_t> values) {
  add_key(key, kArray);
  append(metadata_, kInt32);
  append(metadata_, uint64_t{values.size()});
  for (const int32_t value : values) {
    append(metadata_, value);
  }
}

void GgufWriter::add(std::string_view key, std::span<const float> values) {
  add_key(key, kArray);
  append(metadata_, kFloat32);
  append(metadata_, uint64_t{values.size()});
  for (const float value : values) {
    append(metadata_, value);
  }
}

void GgufWriter::write(OutputFile& output, const std::function<void(int64_t)>& on_bytes) const {
  std::string header = "GGUF";
  append(header, kVersion);
  append(header, uint64_t{tensors_.size()});
  append(header, pair_count_);
  header += metadata_;
  uint64_t offset = 0;
  for (const GgufTensorToWrite& tensor : tensors_) {
    append_text(header, tensor.name);
    append(header, static_cast<uint32_t>(tensor.shape.size()));
    for (const int64_t extent : tensor.shape | std::views::reverse) {
      append(header, static_cast<uint64_t>(extent));
    }
    append(header, static_cast<uint32_t>(tensor.type));
    append(header, offset);
    offset = aligned(offset + tensor.byte_count());
  }
  output.write(header);
  for (const GgufTensorToWrite& tensor : tensors_) {
    pad(output);
    const uint64_t begin = output.size();
    tensor.write(output);
    assert(output.size() == begin + tensor.byte_count());
    on_bytes(static_cast<int64_t>(output.size() - begin));
  }
  pad(output);
}

}  // namespace slayer
