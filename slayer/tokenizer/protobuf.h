#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace slayer {

/// One field of a protobuf message.
struct ProtobufField {
  uint64_t number;
  uint64_t value;          ///< Of a varint field.
  std::string_view bytes;  ///< Of a length-delimited field: text or a message.
};

/// Walks over the fields of a protobuf message from a hostile source. Field numbers that the caller
/// does not know are to be passed over. Source: protobuf.dev/programming-guides/encoding.
class ProtobufReader final {
 public:
  /// `file` names the source in errors.
  ProtobufReader(std::string_view message, std::string file)
      : message_(message), file_(std::move(file)) {}

  /// The next field, nothing at the end. @throws Error naming the byte when a field is cut off or
  /// of an unknown wire type.
  std::optional<ProtobufField> next();

 private:
  uint64_t varint();
  std::string_view take(uint64_t size);
  [[noreturn]] void fail(std::string found) const;

  std::string_view message_;
  std::string file_;
  size_t position_ = 0;
};

}  // namespace slayer
