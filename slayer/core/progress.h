#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace slayer {

/// How a long job tells where it is: a bar that is redrawn on a terminal, a plain line now and then
/// in a log, or nothing.
enum class ProgressStyle : uint8_t { kBar, kLines, kSilent };

/// kBar when stderr is a terminal, else kLines; kSilent when `quiet`.
ProgressStyle progress_style_for_stderr(bool quiet);

/// Progress of one job on stderr, with rate and time left. Not thread-safe: one thread reports.
class Progress final {
 public:
  /// `unit` is the plural of what is counted ("tokens", "layers"); "bytes" is shown in MB and GB.
  Progress(std::string task, int64_t total, std::string unit, ProgressStyle style);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();  ///< Ends the line of a bar, so that what is printed next starts on its own.

  /// Work that a former, interrupted run had done: counted as done, left out of the rate.
  void resume_at(int64_t done);

  /// `note` is shown at the end of the line, e.g. "loss 2.31".
  void advance(int64_t amount, std::string_view note = {});

  /// Prints the last line: what was done and how long it took.
  void finish();

 private:
  void show(bool is_last);
  std::string line(bool is_last) const;

  std::string task_;
  int64_t total_;
  std::string unit_;
  ProgressStyle style_;
  int64_t done_ = 0;
  int64_t done_before_ = 0;
  std::string note_;
  std::chrono::steady_clock::time_point start_;
  std::chrono::steady_clock::time_point last_shown_;
  bool is_finished_ = false;
};

/// "1.2 s", "3 min 20 s", "2 h 5 min".
std::string format_duration(double seconds);

/// "12.3 kB", "4.56 GB" (decimal units, three digits).
std::string format_bytes(double bytes);

/// "134.5 M", "7.95 B": a parameter or token count in three to four digits.
std::string format_count(double count);

}  // namespace slayer
