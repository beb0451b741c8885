#include "slayer/train/metrics.h"

#include <algorithm>
#include <gtest/gtest.h>

#include "slayer/core/file.h"

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
               .elapsed_s = 2.0,
               .cpu_seconds = 3.5});
  EXPECT_EQ(read_text_file(folder / "metrics.jsonl"),
            "{\"step\":1,\"loss\":2.5,\"lr\":0.0001,\"grad_norm\":0.5,"
            "\"tokens_per_second\":50.0,\"tokens\":100,\"elapsed_s\":2.0,\"cpu_seconds\":3.5}\n");
}

TEST(MetricsFile, HoldsTheLookBeforeTheFirstStepOnce) {
  const ScratchFolder folder;
  const std::filesystem::path path = folder / "metrics.jsonl";
  const std::string look =
      "{\"step\":0,\"tokens\":0,\"elapsed_s\":0.0,\"cpu_seconds\":0.0,\"domain_loss\":0.0,"
      "\"domain_perplexity\":1.0}\n";
  for (int i = 0; i < 2; ++i) {  // Begun, killed, begun again.
    MetricsFile(path, 0).append({.watched = {.domain = 0.0}});
    EXPECT_EQ(read_text_file(path), look);
  }
  MetricsFile(path, 0).append({.watched = {.domain = 0.0}});
  MetricsFile(path, 1).append({.step = 1, .loss = 2.0});
  MetricsFile again(path, 1);
  EXPECT_EQ(again.losses_before(), std::vector<double>{2.0});
  EXPECT_TRUE(read_text_file(path).starts_with(look + "{\"step\":1,"));
}

TEST(MetricsFile, TellsOfSpikesAndOfWatchedTexts) {
  const ScratchFolder folder;
  const std::filesystem::path path = folder / "metrics.jsonl";
  MetricsFile(path, 0).append(
      {.step = 1, .is_spike = true, .watched = {.domain = 0.0, .general = 0.0}, .forgetting = 0.5});
  const Json line = parse_json(read_text_file(path), "metrics.jsonl");
  EXPECT_EQ(line["spike"], true);
  EXPECT_EQ(line["domain_loss"], 0.0);
  EXPECT_EQ(line["domain_perplexity"], 1.0);
  EXPECT_EQ(line["general_perplexity"], 1.0);
  EXPECT_EQ(line["forgetting"], 0.5);
}

TEST(MetricsFile, KnowsTheLossesBefore) {
  const ScratchFolder folder;
  const std::filesystem::path path =
      file_in(folder, "metrics.jsonl", "{\"step\":1,\"loss\":2}\n{\"step\":2,\"loss\":1}\n");
  EXPECT_EQ(MetricsFile(path, 1).losses_before(), std::vector<double>{2.0});
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
