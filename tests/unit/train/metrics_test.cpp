#include "slayer/train/metrics.h"

#include <algorithm>
#include <gtest/gtest.h>

#include "tests/support/error_message.h"
#include "tests/support/text_file.h"

namespace slayer {
namespace {

TEST(MetricsFile, WritesOneObjectALine) {
  const ScratchFolder folder;
  MetricsFile file(folder / "metrics.jsonl", 0);
  file.append({.step = 1,
               .loss = 2.5,
               .lr = 1e-4,
               .grad_norm = 0.5,
               .tokens = 100,
               .tokens_per_second = 50.0,
               .elapsed_s = 2.0});
  EXPECT_EQ(read_text_file(folder / "metrics.jsonl"),
            "{\"step\":1,\"loss\":2.5,\"lr\":0.0001,\"grad_norm\":0.5,\"tokens\":100,"
            "\"tokens_per_second\":50.0,\"elapsed_s\":2.0}\n");
}

TEST(MetricsFile, ForgetsWhatCameAfterTheStepItGoesOnFrom) {
  const ScratchFolder folder;
  const std::string two = "{\"step\":1,\"loss\":2}\n{\"step\":2,\"loss\":1}\n";
  const std::filesystem::path path = file_in(folder, "metrics.jsonl", two + "{\"step\":3}\n{\"st");
  MetricsFile(path, 2).append({.step = 3});
  const std::string text = read_text_file(path);
  EXPECT_TRUE(text.starts_with(two + "{\"step\":3,\"loss\":0.0"));
  EXPECT_EQ(std::ranges::count(text, '\n'), 3);
}

}  // namespace
}  // namespace slayer
