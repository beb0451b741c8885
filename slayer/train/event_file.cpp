#include "slayer/train/event_file.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "slayer/core/error.h"
#include "slayer/core/file.h"

namespace slayer {
namespace fs = std::filesystem;
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::string_view kVersion = "brain.Event:2";
constexpr size_t kHeaderBytes = 12;  // Before an event: its length and the length's checksum.
constexpr size_t kTrailerBytes = 4;  // Behind it: its checksum.
constexpr size_t kStepOffset = 9;    // In an event: behind the wall time, where it has a step.

/// A field's number and how its value is written, in one byte.
constexpr char kWallTime = 1 << 3 | 1;     // Event.wall_time, a double
constexpr char kStep = 2 << 3 | 0;         // Event.step, a varint
constexpr char kFileVersion = 3 << 3 | 2;  // Event.file_version, bytes with a length
constexpr char kSummary = 5 << 3 | 2;      // Event.summary
constexpr char kValue = 1 << 3 | 2;        // Summary.value
constexpr char kTag = 1 << 3 | 2;          // Summary.Value.tag
constexpr char kSimpleValue = 2 << 3 | 5;  // Summary.Value.simple_value, a float

/// CRC-32C (Castagnoli) of each byte, of which longer ones are made.
constexpr std::array<uint32_t, 256> crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? 0x82F63B78U : 0U);
    }
    table[byte] = crc;
  }
  return table;
}

/// The checksum of records: CRC-32C, rotated, plus a constant.
uint32_t masked_crc(std::string_view bytes) {
  static constexpr std::array<uint32_t, 256> kTable = crc_table();
  uint32_t crc = ~0U;
  for (const char byte : bytes) {
    crc = kTable[(crc ^ static_cast<uint8_t>(byte)) & 0xFFU] ^ (crc >> 8U);
  }
  return std::rotr(~crc, 15) + 0xA282EAD8U;
}

template <class Number>
void append_number(std::string& bytes, Number value) {
  std::array<char, sizeof(Number)> raw{};
  std::memcpy(raw.data(), &value, sizeof(Number));
  bytes.append(raw.data(), raw.size());
}

template <class Number>
Number number_at(std::string_view bytes, size_t offset) {
  Number value{};
  std::memcpy(&value, bytes.data() + offset, sizeof(Number));
  return value;
}

/// Seven bits a byte, the lowest first; the highest bit says that more follow.
void append_varint(std::string& bytes, uint64_t value) {
  for (; value >= 0x80U; value >>= 7U) {
    bytes.push_back(static_cast<char>(value | 0x80U));
  }
  bytes.push_back(static_cast<char>(value));
}

void append_field(std::string& bytes, char field, std::string_view value) {
  bytes.push_back(field);
  append_varint(bytes, value.size());
  bytes += value;
}

std::string begin_event(double wall_time) {
  std::string event(1, kWallTime);
  append_number(event, wall_time);
  return event;
}

void append_scalar(std::string& summary, std::string_view tag, double scalar) {
  std::string value;
  append_field(value, kTag, tag);
  value.push_back(kSimpleValue);
  append_number(value, static_cast<float>(scalar));
  append_field(summary, kValue, value);
}

std::string summary_of(const StepMetrics& metrics) {
  std::string summary;
  if (metrics.step > 0) {
    append_scalar(summary, "train/loss", metrics.loss);
    append_scalar(summary, "train/lr", metrics.lr);
    append_scalar(summary, "train/grad_norm", metrics.grad_norm);
    append_scalar(summary, "train/tokens_per_second", metrics.tokens_per_second);
  }
  if (metrics.watched.domain) {
    append_scalar(summary, "watched/domain_perplexity", std::exp(*metrics.watched.domain));
  }
  if (metrics.watched.general) {
    append_scalar(summary, "watched/general_perplexity", std::exp(*metrics.watched.general));
    append_scalar(summary, "watched/forgetting", metrics.forgetting);
  }
  return summary;
}

/// The event at the beginning of these bytes, where all of it is there.
std::optional<std::string_view> first_event(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes + kTrailerBytes) {
    return std::nullopt;
  }
  const auto size = number_at<uint64_t>(bytes, 0);
  if (size > bytes.size() - kHeaderBytes - kTrailerBytes) {
    return std::nullopt;
  }
  const std::string_view event = bytes.substr(kHeaderBytes, size);
  const bool is_whole = number_at<uint32_t>(bytes, kHeaderBytes + size) == masked_crc(event);
  return is_whole ? std::optional(event) : std::nullopt;
}

/// The step of an event of ours; 0 where it has none.
int64_t step_of(std::string_view event) {
  uint64_t step = 0;
  if (event.size() > kStepOffset && event[kStepOffset] == kStep) {
    for (size_t i = kStepOffset + 1, shift = 0; i < event.size() && shift < 63; ++i, shift += 7) {
      step |= (static_cast<uint64_t>(event[i]) & 0x7FU) << shift;
      if ((static_cast<uint8_t>(event[i]) & 0x80U) == 0) {
        break;
      }
    }
  }
  return static_cast<int64_t>(step);
}

/// How many of these bytes are whole events of steps up to `last_step`; of a training that begins,
/// the file's version, which comes first.
size_t bytes_until(std::string_view bytes, int64_t last_step) {
  size_t kept = 0;
  while (const auto event = first_event(bytes.substr(kept))) {
    if (step_of(*event) > last_step || (last_step == 0 && kept > 0)) {
      break;
    }
    kept += kHeaderBytes + event->size() + kTrailerBytes;
  }
  return kept;
}

}  // namespace

EventFile::EventFile(const fs::path& path, int64_t last_step) : path_(path) {
  if (fs::exists(path)) {
    // Cut, not written anew: a TensorBoard that has it open goes on reading.
    const size_t kept = bytes_until(read_text_file(path), last_step);
    std::error_code error;
    fs::resize_file(path, kept, error);
    if (error) {
      throw Error({.file = path.string(), .item = "cannot shorten", .found = error.message()});
    }
    is_empty_ = kept == 0;
  }
  file_.open(path, std::ios::app | std::ios::binary);
}

void EventFile::append(const StepMetrics& metrics, double wall_time) {
  if (is_empty_) {
    std::string event = begin_event(wall_time);
    append_field(event, kFileVersion, kVersion);
    write(event);
    is_empty_ = false;
  }
  std::string event = begin_event(wall_time);
  event.push_back(kStep);
  append_varint(event, static_cast<uint64_t>(metrics.step));
  append_field(event, kSummary, summary_of(metrics));
  write(event);
  file_.flush();
  if (!file_) {
    throw Error({.file = path_.string(), .found = "a failed write", .hint = "is the disk full?"});
  }
}

void EventFile::write(const std::string& event) {
  std::string record;
  append_number(record, static_cast<uint64_t>(event.size()));
  append_number(record, masked_crc(record));
  record += event;
  append_number(record, masked_crc(event));
  file_.write(record.data(), static_cast<std::streamsize>(record.size()));
}

}  // namespace slayer
