#include "slayer/core/progress.h"

#include <gtest/gtest.h>

namespace slayer {
namespace {

TEST(FormatDuration, UsesTheUnitsAPersonWould) {
  EXPECT_EQ(format_duration(1.23), "1.2 s");
  EXPECT_EQ(format_duration(42.4), "42 s");
  EXPECT_EQ(format_duration(200), "3 min 20 s");
  EXPECT_EQ(format_duration(2 * 3600 + 5 * 60), "2 h 5 min");
}

TEST(FormatBytes, UsesDecimalUnitsAndThreeDigits) {
  EXPECT_EQ(format_bytes(999), "999 B");
  EXPECT_EQ(format_bytes(12345), "12.3 kB");
  EXPECT_EQ(format_bytes(13.5e9), "13.5 GB");
  EXPECT_EQ(format_bytes(999999), "1.00 MB");
}

TEST(FormatCount, MatchesHowModelsAreNamed) {
  EXPECT_EQ(format_count(512), "512");
  EXPECT_EQ(format_count(134515008), "135 M");
  EXPECT_EQ(format_count(7.95e9), "7.95 B");
}

TEST(Progress, EndsALineOfPlainTextWithAmountAndTime) {
  testing::internal::CaptureStderr();
  Progress progress("copying", 2000000, "bytes", ProgressStyle::kLines);
  progress.advance(2000000, "shard 1");
  progress.finish();
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(text.starts_with("copying 100 %  2.00 MB in ")) << text;
  EXPECT_TRUE(text.ends_with("/s, shard 1\n")) << text;
}

TEST(Progress, IsSilentWhenAsked) {
  testing::internal::CaptureStderr();
  Progress progress("copying", 10, "files", ProgressStyle::kSilent);
  progress.advance(10);
  progress.finish();
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace slayer
