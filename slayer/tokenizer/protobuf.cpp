#include "slayer/tokenizer/protobuf.h"

#include <fmt/format.h>

#include "slayer/core/error.h"

namespace slayer {

std::optional<ProtobufField> ProtobufReader::next() {
  enum WireType : uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };
  if (position_ == message_.size()) {
    return std::nullopt;
  }
  const uint64_t tag = varint();
  ProtobufField field{.number = tag >> 3U, .value = 0, .bytes = {}};
  switch (tag & 7U) {
    case kVarint:
      field.value = varint();
      break;
    case kFixed64:
      take(8);
      break;
    case kBytes:
      field.bytes = take(varint());
      break;
    case kFixed32:
      take(4);
      break;
    default:
      fail(fmt::format("wire type {}", tag & 7U));
  }
  return field;
}

uint64_t ProtobufReader::varint() {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    const auto byte = static_cast<unsigned char>(take(1)[0]);
    value |= uint64_t{byte & 0x7FU} << shift;
    if (byte < 0x80) {
      return value;
    }
  }
  fail("a number of more than 64 bits");
}

std::string_view ProtobufReader::take(uint64_t size) {
  if (size > message_.size() - position_) {
    fail(fmt::format("a field of {} bytes where {} are left", size, message_.size() - position_));
  }
  const std::string_view bytes = message_.substr(position_, size);
  position_ += size;
  return bytes;
}

void ProtobufReader::fail(std::string found) const {
  throw Error({.file = file_,
               .item = fmt::format("byte {} of a message", position_),
               .found = std::move(found),
               .expected = "a SentencePiece model"});
}

}  // namespace slayer
