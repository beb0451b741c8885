#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include "slayer/train/metrics.h"

namespace slayer {

/// The metrics as TensorBoard reads them: scalars "train/loss", "train/lr", "train/grad_norm",
/// "train/tokens_per_second" of each step, and "watched/domain_perplexity",
/// "watched/general_perplexity" and "watched/forgetting" where the texts were looked at.
///
/// A file is a sequence of records: the length of an event as 8 bytes and their masked CRC-32C, the
/// event and its masked CRC-32C; all little endian. An event is a protobuf message.
/// Source: tensorflow/core/lib/io/record_writer.h, tensorflow/core/util/event.proto and
/// tensorflow/core/framework/summary.proto.
class EventFile final {
 public:
  /// Opens the file to go on after `last_step`: the events of later steps, and one that was cut
  /// off, are removed.
  EventFile(const std::filesystem::path& path, int64_t last_step);

  /// @param wall_time seconds since 1970.
  /// @throws Error when the disk is full.
  void append(const StepMetrics& metrics, double wall_time);

 private:
  void write(const std::string& event);

  std::filesystem::path path_;
  bool is_empty_ = true;
  std::ofstream file_;
};

}  // namespace slayer
