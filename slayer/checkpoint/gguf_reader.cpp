#include "slayer/checkpoint/gguf_reader.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <fmt/format.h>
#include <limits>
#include <set>
#include <type_traits>
#include <utility>

#include "slayer/checkpoint/gguf_cursor.h"
#include "slayer/core/error.h"
#include "slayer/core/utf8.h"

namespace slayer {
namespace {

constexpr uint32_t kMagic = 0x46554747;  // "GGUF", little-endian.
constexpr uint32_t kDefaultAlignment = 32;
constexpr int64_t kLargestAlignment = int64_t{1} << 20;
constexpr uint32_t kMostDimensions = 4;
/// Names are at most 64 bytes in files of llama.cpp, keys at most 65,535.
constexpr uint64_t kLongestName = 1024;
constexpr uint64_t kLongestKey = 65535;
/// The smallest key with its value, and the smallest tensor entry: bounds on the header's counts.
constexpr uint64_t kSmallestPair = 8 + 4 + 1;
constexpr uint64_t kSmallestTensor = 8 + 4 + 4 + 8;

struct Header {
  uint64_t tensor_count;
  uint64_t pair_count;
};

Header read_header(GgufCursor& cursor) {
  const auto magic = cursor.number<uint32_t>("magic");
  if (magic != kMagic) {
    cursor.fail("magic", fmt::format("0x{:08x}", magic), "\"GGUF\"", "not a GGUF file");
  }
  const auto version = cursor.number<uint32_t>("version");
  if (version != 2 && version != 3) {
    const bool is_swapped = (version & 0xffffU) == 0 && version != 0;
    cursor.fail(
        "version", fmt::format("{}", version), "2 or 3", is_swapped ? "a big-endian file?" : "");
  }
  const auto tensor_count = cursor.number<uint64_t>("tensor count");
  const auto pair_count = cursor.number<uint64_t>("metadata count");
  const auto refuse_more_than = [&](uint64_t count, uint64_t smallest, std::string_view item) {
    if (count > cursor.remaining() / smallest) {
      cursor.fail(item,
                  fmt::format("{}", count),
                  fmt::format("what fits in the {} bytes that are left", cursor.remaining()),
                  "truncated or corrupt?");
    }
  };
  refuse_more_than(tensor_count, kSmallestTensor, "tensor count");
  refuse_more_than(pair_count, kSmallestPair, "metadata count");
  return {tensor_count, pair_count};
}

std::map<std::string, GgufValue, std::less<>> read_metadata(GgufCursor& cursor, uint64_t count) {
  std::map<std::string, GgufValue, std::less<>> metadata;
  for (uint64_t index = 0; index < count; ++index) {
    const std::string key(cursor.text(fmt::format("metadata key {}", index), kLongestKey));
    const auto type = static_cast<GgufValueType>(cursor.number<uint32_t>(key));
    if (!metadata.emplace(key, cursor.value(type, key)).second) {
      cursor.fail(key, "a duplicate key", "each key once");
    }
  }
  return metadata;
}

/// Row-major shape, checked so that the element count fits.
std::vector<int64_t> read_shape(GgufCursor& cursor, std::string_view name) {
  const auto dimensions = cursor.number<uint32_t>(name);
  if (dimensions > kMostDimensions) {
    cursor.fail(
        name, fmt::format("{} dimensions", dimensions), fmt::format("at most {}", kMostDimensions));
  }
  std::vector<int64_t> shape(dimensions);
  int64_t elements = 1;
  for (auto dimension = shape.rbegin(); dimension != shape.rend(); ++dimension) {
    const auto extent = cursor.number<uint64_t>(name);
    // 2^48 elements leave room for the largest block size in 64 bits.
    if (extent == 0 || extent > (uint64_t{1} << 48U) ||
        __builtin_mul_overflow(elements, static_cast<int64_t>(extent), &elements) ||
        elements > (int64_t{1} << 48)) {
      cursor.fail(name, fmt::format("a dimension of {}", extent), "a shape of 1 to 2^48 elements");
    }
    *dimension = static_cast<int64_t>(extent);
  }
  return shape;
}

/// The offset is still relative to the tensor data.
GgufTensor read_tensor_entry(GgufCursor& cursor, uint64_t index) {
  GgufTensor tensor;
  tensor.name = cursor.text(fmt::format("tensor {}", index), kLongestName);
  tensor.shape = read_shape(cursor, tensor.name);
  const auto type_number = cursor.number<uint32_t>(tensor.name);
  const auto type = ggml_type_from_number(type_number);
  if (!type) {
    cursor.fail(
        tensor.name, ggml_type_name(type_number), fmt::format("one of {}", supported_ggml_types()));
  }
  tensor.type = *type;
  const GgmlLayout& layout = layout_of(*type);
  const int64_t row = tensor.shape.empty() ? 1 : tensor.shape.back();
  if (row % layout.block_elements != 0) {
    cursor.fail(
        tensor.name,
        fmt::format("rows of {} elements", row),
        fmt::format("a multiple of {}, the block of {}", layout.block_elements, layout.name));
  }
  tensor.size = static_cast<uint64_t>(tensor.element_count() / layout.block_elements) *
                static_cast<uint64_t>(layout.block_bytes);
  tensor.offset = cursor.number<uint64_t>(tensor.name);
  return tensor;
}

/// Makes offsets absolute, once they are known to be aligned and inside the file.
void place_tensors(const GgufCursor& cursor,
                   uint64_t data_begin,
                   uint64_t file_size,
                   uint64_t alignment,
                   std::vector<GgufTensor>& tensors) {
  const uint64_t data_size = file_size - std::min(data_begin, file_size);
  for (GgufTensor& tensor : tensors) {
    if (tensor.offset % alignment != 0) {
      cursor.fail(tensor.name,
                  fmt::format("offset {}", tensor.offset),
                  fmt::format("a multiple of the alignment, {}", alignment));
    }
    if (tensor.size > data_size || tensor.offset > data_size - tensor.size) {
      cursor.fail(tensor.name,
                  fmt::format("{} bytes at data offset {}", tensor.size, tensor.offset),
                  fmt::format("inside the {} bytes of data", data_size),
                  "truncated or corrupt?");
    }
    tensor.offset += data_begin;
  }
}

void refuse_overlaps(const GgufCursor& cursor, const std::vector<GgufTensor>& tensors) {
  std::vector<const GgufTensor*> ordered;
  ordered.reserve(tensors.size());
  for (const GgufTensor& tensor : tensors) {
    ordered.push_back(&tensor);
  }
  std::ranges::stable_sort(ordered, {}, &GgufTensor::offset);
  for (size_t index = 1; index < ordered.size(); ++index) {
    const GgufTensor& before = *ordered[index - 1];
    if (before.offset + before.size > ordered[index]->offset) {
      cursor.fail(ordered[index]->name,
                  fmt::format("bytes that {} has too", printable(before.name)),
                  "tensors that do not overlap");
    }
  }
}

std::string describe(const GgufValue& value) {
  return std::visit(
      [](const auto& data) -> std::string {
        using T = std::decay_t<decltype(data)>;
        if constexpr (std::is_same_v<T, std::string_view>) {
          return fmt::format("\"{}\"", printable(data));
        } else if constexpr (std::is_same_v<T, GgufValue::Array>) {
          return fmt::format("an array of {} values", data.size());
        } else {
          return fmt::format("{}", data);
        }
      },
      value.data);
}

std::optional<int64_t> as_integer(const GgufValue& value) {
  if (const auto* const number = std::get_if<int64_t>(&value.data)) {
    return *number;
  }
  const auto* const number = std::get_if<uint64_t>(&value.data);
  return number != nullptr && std::in_range<int64_t>(*number)
             ? std::optional(static_cast<int64_t>(*number))
             : std::nullopt;
}

std::optional<double> as_number(const GgufValue& value) {
  if (const auto* const number = std::get_if<float>(&value.data)) {
    return shortest_double(*number);
  }
  if (const auto* const number = std::get_if<double>(&value.data)) {
    return *number;
  }
  const auto integer = as_integer(value);
  return integer ? std::optional(static_cast<double>(*integer)) : std::nullopt;
}

std::optional<std::string_view> as_text(const GgufValue& value) {
  const auto* const text = std::get_if<std::string_view>(&value.data);
  return text != nullptr && is_utf8(*text) ? std::optional(*text) : std::nullopt;
}

}  // namespace

int64_t GgufTensor::element_count() const {
  int64_t count = 1;
  for (const int64_t extent : shape) {
    count *= extent;
  }
  return count;
}

GgufFile GgufFile::open(const std::filesystem::path& path) {
  GgufFile result;
  result.file_ = std::make_shared<const MappedFile>(path);
  GgufCursor cursor(*result.file_);
  const Header header = read_header(cursor);
  result.metadata_ = read_metadata(cursor, header.pair_count);
  const auto alignment = result.optional_integer("general.alignment", 1, kLargestAlignment);
  const auto step = static_cast<uint64_t>(alignment.value_or(kDefaultAlignment));
  if (!std::has_single_bit(step)) {
    result.fail("general.alignment", fmt::format("{}", step), "a power of two");
  }
  if (result.optional_integer("split.count", 0, 65535).value_or(0) > 1) {
    result.fail("split.count",
                "one part of a split model",
                "a whole one",
                "llama-gguf-split --merge joins the parts");
  }
  std::set<std::string> names;
  for (uint64_t index = 0; index < header.tensor_count; ++index) {
    result.tensors_.push_back(read_tensor_entry(cursor, index));
    if (!names.insert(result.tensors_.back().name).second) {
      cursor.fail(result.tensors_.back().name, "a duplicate tensor", "each tensor once");
    }
  }
  const uint64_t data_begin = (cursor.position() + step - 1) / step * step;
  place_tensors(cursor, data_begin, result.file_->bytes().size(), step, result.tensors_);
  refuse_overlaps(cursor, result.tensors_);
  return result;
}

const GgufTensor* GgufFile::find(std::string_view name) const {
  const auto tensor = std::ranges::find(tensors_, name, &GgufTensor::name);
  return tensor == tensors_.end() ? nullptr : &*tensor;
}

std::span<const std::byte> GgufFile::bytes(const GgufTensor& tensor) const {
  return file_->bytes().subspan(tensor.offset, tensor.size);
}

void GgufFile::fail(std::string_view item,
                    std::string found,
                    std::string expected,
                    std::string hint) const {
  throw Error({.file = file_name(),
               .item = printable(item),
               .found = std::move(found),
               .expected = std::move(expected),
               .hint = std::move(hint)});
}

const GgufValue& GgufFile::value(std::string_view key) const {
  const auto entry = metadata_.find(key);
  if (entry == metadata_.end()) {
    fail(key, "nothing", "this metadata key");
  }
  return entry->second;
}

const GgufValue::Array& GgufFile::array(std::string_view key) const {
  const auto* const array = std::get_if<GgufValue::Array>(&value(key).data);
  if (array == nullptr) {
    fail(key, describe(value(key)), "an array");
  }
  return *array;
}

bool GgufFile::is_array(std::string_view key) const {
  return has(key) && std::holds_alternative<GgufValue::Array>(value(key).data);
}

int64_t GgufFile::integer(std::string_view key, int64_t low, int64_t high) const {
  const auto number = as_integer(value(key));
  if (!number || *number < low || *number > high) {
    fail(key, describe(value(key)), fmt::format("an integer from {} to {}", low, high));
  }
  return *number;
}

double GgufFile::number(std::string_view key) const {
  const auto number = as_number(value(key));
  if (!number) {
    fail(key, describe(value(key)), "a number");
  }
  return *number;
}

bool GgufFile::boolean(std::string_view key) const {
  const auto* const boolean = std::get_if<bool>(&value(key).data);
  if (boolean == nullptr) {
    fail(key, describe(value(key)), "true or false");
  }
  return *boolean;
}

std::string GgufFile::string(std::string_view key) const {
  const auto text = as_text(value(key));
  if (!text) {
    fail(key, describe(value(key)), "text in UTF-8");
  }
  return std::string(*text);
}

std::vector<std::string_view> GgufFile::strings(std::string_view key) const {
  std::vector<std::string_view> texts;
  for (const GgufValue& element : array(key)) {
    const auto text = as_text(element);
    if (!text) {
      fail(fmt::format("{}[{}]", key, texts.size()), describe(element), "text in UTF-8");
    }
    texts.push_back(*text);
  }
  return texts;
}

std::vector<int64_t> GgufFile::integers(std::string_view key, int64_t low, int64_t high) const {
  std::vector<int64_t> numbers;
  for (const GgufValue& element : array(key)) {
    const auto number = as_integer(element);
    if (!number || *number < low || *number > high) {
      fail(fmt::format("{}[{}]", key, numbers.size()),
           describe(element),
           fmt::format("an integer from {} to {}", low, high));
    }
    numbers.push_back(*number);
  }
  return numbers;
}

std::vector<double> GgufFile::numbers(std::string_view key) const {
  std::vector<double> numbers;
  for (const GgufValue& element : array(key)) {
    const auto number = as_number(element);
    if (!number) {
      fail(fmt::format("{}[{}]", key, numbers.size()), describe(element), "a number");
    }
    numbers.push_back(*number);
  }
  return numbers;
}

bool GgufFile::boolean_or(std::string_view key, bool fallback) const {
  return has(key) ? boolean(key) : fallback;
}

std::string GgufFile::string_or(std::string_view key, std::string_view fallback) const {
  return has(key) ? string(key) : std::string(fallback);
}

std::optional<int64_t> GgufFile::optional_integer(std::string_view key,
                                                  int64_t low,
                                                  int64_t high) const {
  return has(key) ? std::optional(integer(key, low, high)) : std::nullopt;
}

double shortest_double(float value) {
  std::array<char, 32> text{};
  const auto written = std::to_chars(text.begin(), text.end(), value);
  double result = value;
  std::from_chars(text.begin(), written.ptr, result);
  return result;
}

}  // namespace slayer
