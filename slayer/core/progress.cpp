#include "slayer/core/progress.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <fmt/format.h>
#include <unistd.h>

namespace slayer {
namespace {

using std::chrono::duration;
using std::chrono::steady_clock;

constexpr double kSecondsBetweenBars = 0.1;
constexpr double kSecondsBetweenLines = 10.0;
constexpr int64_t kBarCells = 24;

std::string scaled(double value, double step, const std::array<std::string_view, 5>& units) {
  size_t index = 0;
  while (value >= 0.9995 * step && index + 1 < units.size()) {
    value /= step;
    ++index;
  }
  const int digits = index == 0 ? 0 : value < 10 ? 2 : value < 100 ? 1 : 0;
  return fmt::format("{:.{}f} {}", value, digits, units[index]);
}

std::string amount(double value, const std::string& unit) {
  return unit == "bytes"
             ? format_bytes(value)
             : fmt::format("{} {}",
                           value < 10 && value != static_cast<double>(static_cast<int64_t>(value))
                               ? fmt::format("{:.2f}", value)
                               : fmt::format("{:.0f}", value),
                           unit);
}

}  // namespace

ProgressStyle progress_style_for_stderr(bool quiet) {
  if (quiet) {
    return ProgressStyle::kSilent;
  }
  return ::isatty(STDERR_FILENO) != 0 ? ProgressStyle::kBar : ProgressStyle::kLines;
}

Progress::Progress(std::string task, int64_t total, std::string unit, ProgressStyle style)
    : task_(std::move(task)),
      total_(total),
      unit_(std::move(unit)),
      style_(style),
      start_(steady_clock::now()),
      last_shown_(start_) {}

Progress::~Progress() {
  if (style_ == ProgressStyle::kBar && !is_finished_) {
    fmt::print(stderr, "\n");
  }
}

void Progress::resume_at(int64_t done) {
  done_ = done;
  done_before_ = done;
}

void Progress::advance(int64_t amount_done, std::string_view note) {
  done_ += amount_done;
  note_ = note;
  const double pause = style_ == ProgressStyle::kBar ? kSecondsBetweenBars : kSecondsBetweenLines;
  const auto now = steady_clock::now();
  if (style_ != ProgressStyle::kSilent && duration<double>(now - last_shown_).count() >= pause) {
    last_shown_ = now;
    show(/*is_last=*/false);
  }
}

void Progress::finish() {
  is_finished_ = true;
  if (style_ != ProgressStyle::kSilent) {
    show(/*is_last=*/true);
  }
}

void Progress::show(bool is_last) {
  if (style_ == ProgressStyle::kBar) {
    fmt::print(stderr, "\r\x1b[K{}{}", line(is_last), is_last ? "\n" : "");
    std::fflush(stderr);
  } else {
    fmt::print(stderr, "{}\n", line(is_last));
  }
}

std::string Progress::line(bool is_last) const {
  const double elapsed = duration<double>(steady_clock::now() - start_).count();
  const double rate = static_cast<double>(done_ - done_before_) / std::max(elapsed, 1e-9);
  const double fraction =
      total_ > 0 ? std::clamp(static_cast<double>(done_) / static_cast<double>(total_), 0.0, 1.0)
                 : 1.0;
  std::string text = task_ + " ";
  if (style_ == ProgressStyle::kBar) {
    const auto filled = static_cast<int64_t>(fraction * kBarCells);
    text += fmt::format("[{:#<{}}{:.<{}}] ", "", filled, "", kBarCells - filled);
  }
  text += fmt::format("{:3.0f} %  {}", 100.0 * fraction, amount(static_cast<double>(done_), unit_));
  if (is_last) {
    text += fmt::format(" in {}", format_duration(elapsed));
  }
  if (done_ > done_before_) {
    text += fmt::format(", {}/s", amount(rate, unit_));
    if (!is_last && total_ > done_) {
      text += fmt::format(", {} left", format_duration(static_cast<double>(total_ - done_) / rate));
    }
  }
  return note_.empty() ? text : text + ", " + note_;
}

std::string format_duration(double seconds) {
  if (seconds < 60) {
    return fmt::format("{:.{}f} s", seconds, seconds < 10 ? 1 : 0);
  }
  const auto whole = static_cast<int64_t>(seconds + 0.5);
  if (whole < 3600) {
    return fmt::format("{} min {} s", whole / 60, whole % 60);
  }
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

std::string format_bytes(double bytes) {
  return scaled(bytes, 1000.0, {"B", "kB", "MB", "GB", "TB"});
}

std::string format_count(double count) {
  std::string text = scaled(count, 1000.0, {"", "k", "M", "B", "T"});
  return text.ends_with(' ') ? text.substr(0, text.size() - 1) : text;
}

}  // namespace slayer
