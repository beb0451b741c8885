#pragma once

#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <string_view>

#include "slayer/checkpoint/gguf_value.h"
#include "slayer/core/mapped_file.h"

namespace slayer {

/// The format's numbers of its value types.
enum class GgufValueType : uint32_t {
  kUint8,
  kInt8,
  kUint16,
  kInt16,
  kUint32,
  kInt32,
  kFloat32,
  kBool,
  kString,
  kArray,
  kUint64,
  kInt64,
  kFloat64
};

/// Reads a GGUF's header front to back; every length is checked before it is followed. `item` names
/// what is being read, for the errors.
class GgufCursor final {
 public:
  /// `file` must outlive this.
  explicit GgufCursor(const MappedFile& file) : file_(file) {}

  uint64_t position() const { return position_; }
  uint64_t remaining() const { return file_.bytes().size() - position_; }

  /// @throws Error about this file.
  [[noreturn]] void fail(std::string_view item,
                         std::string found,
                         std::string expected,
                         std::string hint = "") const;

  template <class T>
  T number(std::string_view item) {
    T result;
    std::memcpy(&result, take(sizeof(T), item).data(), sizeof(T));
    return result;
  }

  /// At most `limit` bytes that the file counts, not yet known to be UTF-8.
  std::string_view text(std::string_view item,
                        uint64_t limit = std::numeric_limits<uint64_t>::max());

  /// A value of metadata, arrays to the depth of 4.
  GgufValue value(GgufValueType type, std::string_view key, int depth = 0);

 private:
  std::span<const std::byte> take(uint64_t size, std::string_view item);
  bool boolean(std::string_view key);
  GgufValue::Array array(std::string_view key, int depth);

  const MappedFile& file_;
  uint64_t position_ = 0;
  uint64_t values_ = 0;
};

}  // namespace slayer
