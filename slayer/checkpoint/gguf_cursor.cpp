#include "slayer/checkpoint/gguf_cursor.h"

#include <fmt/format.h>
#include <utility>

#include "slayer/core/error.h"

namespace slayer {
namespace {

constexpr int kDeepestArray = 4;
/// All values together: a vocabulary of 256 thousand tokens has under 2 million. A hostile array of
/// bytes could ask for 40 times its size in memory.
constexpr uint64_t kMostValues = uint64_t{1} << 24U;

/// Bytes of one value of the type in the file; for text and arrays, of its head.
uint64_t smallest_size(GgufValueType type) {
  switch (type) {
    case GgufValueType::kUint8:
    case GgufValueType::kInt8:
    case GgufValueType::kBool:
      return 1;
    case GgufValueType::kUint16:
    case GgufValueType::kInt16:
      return 2;
    case GgufValueType::kUint32:
    case GgufValueType::kInt32:
    case GgufValueType::kFloat32:
      return 4;
    case GgufValueType::kUint64:
    case GgufValueType::kInt64:
    case GgufValueType::kFloat64:
    case GgufValueType::kString:
      return 8;
    case GgufValueType::kArray:
      return 12;
  }
  return 0;
}

}  // namespace

void GgufCursor::fail(std::string_view item,
                      std::string found,
                      std::string expected,
                      std::string hint) const {
  throw Error({.file = file_.path().string(),
               .item = printable(item),
               .found = std::move(found),
               .expected = std::move(expected),
               .hint = std::move(hint)});
}

std::string_view GgufCursor::text(std::string_view item, uint64_t limit) {
  const auto size = number<uint64_t>(item);
  if (size > limit) {
    fail(item, fmt::format("text of {} bytes", size), fmt::format("at most {}", limit));
  }
  const auto bytes = take(size, item);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

GgufValue GgufCursor::value(GgufValueType type, std::string_view key, int depth) {
  switch (type) {
    case GgufValueType::kUint8:
      return {uint64_t{number<uint8_t>(key)}};
    case GgufValueType::kInt8:
      return {int64_t{number<int8_t>(key)}};
    case GgufValueType::kUint16:
      return {uint64_t{number<uint16_t>(key)}};
    case GgufValueType::kInt16:
      return {int64_t{number<int16_t>(key)}};
    case GgufValueType::kUint32:
      return {uint64_t{number<uint32_t>(key)}};
    case GgufValueType::kInt32:
      return {int64_t{number<int32_t>(key)}};
    case GgufValueType::kFloat32:
      return {number<float>(key)};
    case GgufValueType::kBool:
      return {boolean(key)};
    case GgufValueType::kString:
      return {text(key)};
    case GgufValueType::kArray:
      return {array(key, depth)};
    case GgufValueType::kUint64:
      return {number<uint64_t>(key)};
    case GgufValueType::kInt64:
      return {number<int64_t>(key)};
    case GgufValueType::kFloat64:
      return {number<double>(key)};
  }
  fail(key, fmt::format("value type {}", static_cast<uint32_t>(type)), "a type from 0 to 12");
}

std::span<const std::byte> GgufCursor::take(uint64_t size, std::string_view item) {
  if (size > remaining()) {
    fail(item,
         fmt::format("{} bytes at {}, past the end of the file", size, position_),
         fmt::format("at most the {} that are left", remaining()),
         "truncated or corrupt?");
  }
  const auto bytes = file_.bytes().subspan(position_, size);
  position_ += size;
  return bytes;
}

bool GgufCursor::boolean(std::string_view key) {
  const auto byte = number<uint8_t>(key);
  if (byte > 1) {
    fail(key, fmt::format("the byte {}", byte), "a boolean, 0 or 1");
  }
  return byte == 1;
}

GgufValue::Array GgufCursor::array(std::string_view key, int depth) {
  if (depth == kDeepestArray) {
    fail(key, fmt::format("arrays nested more than {} deep", kDeepestArray), "fewer levels");
  }
  const auto type = static_cast<GgufValueType>(number<uint32_t>(key));
  const auto count = number<uint64_t>(key);
  const uint64_t element_size = smallest_size(type);
  if (element_size == 0) {
    fail(key, fmt::format("value type {}", static_cast<uint32_t>(type)), "a type from 0 to 12");
  }
  if (count > remaining() / element_size) {
    fail(key,
         fmt::format("an array of {} values", count),
         fmt::format("what fits in the {} bytes that are left", remaining()),
         "truncated or corrupt?");
  }
  values_ += count;
  if (values_ > kMostValues) {
    fail(key, fmt::format("{} metadata values", values_), fmt::format("at most {}", kMostValues));
  }
  GgufValue::Array values;
  values.reserve(count);
  for (uint64_t index = 0; index < count; ++index) {
    values.push_back(value(type, key, depth + 1));
  }
  return values;
}

}  // namespace slayer
