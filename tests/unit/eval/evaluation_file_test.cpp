#include "slayer/eval/evaluation_file.h"

#include <gtest/gtest.h>

#include "tests/support/error_message.h"
#include "tests/support/scratch_folder.h"

namespace slayer {
namespace {

PerplexityResult two_documents() {
  return {.loss = 0.5,
          .perplexity = 1.6487212707001282,
          .tokens = 6,
          .loss_interval = Interval{.low = 0.25, .high = 0.75},
          .documents = {{.loss = 1.0, .tokens = 4}, {.loss = 2.0, .tokens = 2}}};
}

TEST(EvaluationFile, GivesATextBackAsItWasAdded) {
  EvaluationFile file("hash");
  file.add_text("domain", two_documents(), {{"seq_len", 32}});
  EXPECT_EQ(perplexity_to_json(file.text("domain")), perplexity_to_json(two_documents()));
}

TEST(EvaluationFile, NamesWhatATextLacks) {
  const ScratchFolder folder;
  const std::filesystem::path path = folder / "eval.json";
  EvaluationFile file("hash");
  file.add_text("domain", two_documents(), Json::object());
  Json json = file.json();
  json["items"]["text:domain"]["tokens"].erase(0);
  write_json_file(path, json);
  EXPECT_EQ(
      message_of([&] { EvaluationFile::read(path).text("domain"); }),
      path.string() + ": items.text:domain.tokens: found 1 numbers, expected one for each loss");
  EXPECT_EQ(message_of([&] { EvaluationFile::read(path).text("general"); }),
            path.string() + ": items.text:general: found nothing, expected this key");
}

}  // namespace
}  // namespace slayer
