#include "slayer/checkpoint/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <fmt/format.h>
#include <string_view>
#include <tuple>
#include <utility>

#include "slayer/core/error.h"
#include "slayer/core/json.h"

namespace slayer {
namespace {

constexpr uint64_t kLengthBytes = 8;
// The reference implementation's own limit.
constexpr uint64_t kMaxHeaderBytes = 100'000'000;
constexpr std::string_view kMetadataKey = "__metadata__";

static_assert(std::endian::native == std::endian::little, "stored numbers are read in place");

std::string_view header_text(std::span<const std::byte> bytes, const std::string& file) {
  if (bytes.size() < kLengthBytes) {
    throw Error({.file = file,
                 .item = "header",
                 .found = fmt::format("a file of {} bytes", bytes.size()),
                 .expected = "a safetensors file",
                 .hint = "the file looks truncated"});
  }
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), kLengthBytes);
  if (length > kMaxHeaderBytes) {
    throw Error({.file = file,
                 .item = "header length",
                 .found = fmt::format("{} bytes", length),
                 .expected = fmt::format("at most {}", kMaxHeaderBytes),
                 .hint = "is this a safetensors file?"});
  }
  if (length > bytes.size() - kLengthBytes) {
    throw Error({.file = file,
                 .item = "header length",
                 .found = fmt::format("{} bytes", length),
                 .expected = fmt::format("at most the {} that follow", bytes.size() - kLengthBytes),
                 .hint = "the file looks truncated"});
  }
  const auto header = bytes.subspan(kLengthBytes, length);
  return {reinterpret_cast<const char*>(header.data()), header.size()};
}

std::map<std::string, std::string> parse_metadata(const JsonObject& metadata) {
  std::map<std::string, std::string> result;
  for (const auto& [key, value] : metadata.json().items()) {
    result[key] = metadata.string(key);
  }
  return result;
}

/// A size or an offset; nlohmann reads all that do not fit 64 bits as floats.
uint64_t unsigned_at(const JsonObject& object, std::string_view key, const Json& value) {
  if (!value.is_number_unsigned() || value.get<uint64_t>() > uint64_t{INT64_MAX}) {
    object.fail(key, printable(compact_text(value)), "non-negative 64-bit integers");
  }
  return value.get<uint64_t>();
}

/// Bytes that a tensor of this shape fills.
uint64_t checked_byte_count(const JsonObject& object, const TensorInfo& info) {
  int64_t bytes = size_in_bytes(info.dtype);
  for (const int64_t dimension : info.shape) {
    if (__builtin_mul_overflow(bytes, dimension, &bytes)) {
      object.fail("shape",
                  fmt::format("[{}]", fmt::join(info.shape, ", ")),
                  "a tensor that a file could hold");
    }
  }
  return static_cast<uint64_t>(bytes);
}

Dtype parse_dtype(const JsonObject& object) {
  const std::string name = object.string("dtype");
  try {
    return dtype_from_safetensors_name(name);
  } catch (const Error& error) {
    object.fail("dtype", error.parts().found, error.parts().expected);
  }
}

/// Reads one tensor's entry; `data_size` is what follows the header. The offset is relative to it.
SafetensorsEntry parse_entry(const std::string& name,
                             const JsonObject& object,
                             uint64_t data_size) {
  object.refuse_unknown_keys({"dtype", "shape", "data_offsets"});
  SafetensorsEntry entry{.info = {.name = name, .dtype = parse_dtype(object), .shape = {}}};
  for (const Json& dimension : object.array("shape")) {
    entry.info.shape.push_back(static_cast<int64_t>(unsigned_at(object, "shape", dimension)));
  }
  const Json& offsets = object.array("data_offsets");
  if (offsets.size() != 2) {
    object.fail("data_offsets", fmt::format("{} numbers", offsets.size()), "[begin, end]");
  }
  const uint64_t begin = unsigned_at(object, "data_offsets", offsets[0]);
  const uint64_t end = unsigned_at(object, "data_offsets", offsets[1]);
  if (begin > end || end > data_size) {
    object.fail("data_offsets",
                fmt::format("[{}, {}]", begin, end),
                fmt::format("a range within the {} bytes after the header", data_size));
  }
  const uint64_t byte_count = checked_byte_count(object, entry.info);
  if (end - begin != byte_count) {
    object.fail("data_offsets",
                fmt::format("{} bytes", end - begin),
                fmt::format("{} for {} [{}]",
                            byte_count,
                            safetensors_name(entry.info.dtype),
                            fmt::join(entry.info.shape, ", ")));
  }
  entry.offset = begin;
  return entry;
}

/// Hidden bytes between tensors, or two tensors on the same bytes, are how a file lies.
void require_contiguous(const std::vector<SafetensorsEntry>& entries,
                        uint64_t data_size,
                        const std::string& file) {
  uint64_t end = 0;
  for (const SafetensorsEntry& entry : entries) {
    if (entry.offset != end) {
      throw Error({.file = file,
                   .item = printable(entry.info.name),
                   .found = fmt::format("offset {}", entry.offset),
                   .expected = fmt::format("{}, where the tensor before it ends", end),
                   .hint = entry.offset < end ? "tensors overlap" : "bytes that no tensor owns"});
    }
    end += static_cast<uint64_t>(entry.info.byte_count());
  }
  if (end != data_size) {
    throw Error({.file = file,
                 .item = "size",
                 .found = fmt::format("{} bytes after the header", data_size),
                 .expected = fmt::format("{}, where the last tensor ends", end)});
  }
}

}  // namespace

SafetensorsHeader parse_safetensors_header(std::span<const std::byte> bytes,
                                           const std::string& file) {
  const std::string_view text = header_text(bytes, file);
  const uint64_t data_begin = kLengthBytes + text.size();
  const uint64_t data_size = bytes.size() - data_begin;
  const Json json = parse_json(text, file);
  const JsonObject root(json, file);
  SafetensorsHeader header;
  for (const auto& [name, value] : json.items()) {
    const JsonObject object(value, file, printable(name));
    if (name == kMetadataKey) {
      header.metadata = parse_metadata(object);
    } else {
      header.entries.push_back(parse_entry(name, object, data_size));
    }
  }
  // Empty tensors share their offset with the one after them, hence the size.
  std::ranges::sort(header.entries, {}, [](const SafetensorsEntry& entry) {
    return std::tuple(entry.offset, entry.info.byte_count(), std::string_view(entry.info.name));
  });
  require_contiguous(header.entries, data_size, file);
  for (SafetensorsEntry& entry : header.entries) {
    entry.offset += data_begin;
  }
  return header;
}

}  // namespace slayer
