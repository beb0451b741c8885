#include <filesystem>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <string>

#include "slayer/core/file.h"
#include "slayer/core/json.h"

#include "tests/support/run_slayer.h"

namespace slayer {
namespace {

const std::string kModel = SLAYER_FIXTURES "/models/smollm";

/// A copy of the tiny model with a chat template.
std::string instructed_model(const ScratchFolder& folder) {
  const std::filesystem::path model = folder / "model";
  std::filesystem::copy(kModel, model);
  write_text_file(model / "chat_template.jinja",
                  "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}");
  return model.string();
}

Outcome chat(const std::string& model, const std::string& input, const std::string& options) {
  return run_shell(fmt::format("printf '%s' {} | {} chat {} --max-new-tokens 5 --threads 1 {}",
                               quoted(input),
                               quoted(SLAYER_BINARY),
                               quoted(model),
                               options));
}

TEST(Chat, AnswersEachLineAndGivesTheConversationAsJson) {
  const ScratchFolder folder;
  const std::string model = instructed_model(folder);
  const Outcome outcome = chat(model, "one\n\ntwo\n/exit\nthree", "--system 'Be brief.' --json");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  const Json messages = parse_json(outcome.out, "stdout")["messages"];
  ASSERT_EQ(messages.size(), 5U);
  EXPECT_EQ(messages[0]["content"], "Be brief.");
  EXPECT_EQ(messages[1]["content"], "one");
  EXPECT_EQ(messages[2]["role"], "assistant");
  EXPECT_EQ(messages[3]["content"], "two");
  EXPECT_EQ(chat(model, "one\n\ntwo\n/exit\nthree", "--system 'Be brief.' --json").out, outcome.out)
      << "the same seed";
}

TEST(Chat, EndsWithTheInput) {
  const ScratchFolder folder;
  const Outcome outcome = chat(instructed_model(folder), "one", "--temperature 0");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_TRUE(outcome.out.ends_with("\n"));
}

TEST(Chat, NeedsAChatTemplate) {
  const Outcome outcome = chat(kModel, "one", "");
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(outcome.err,
            "slayer: " + kModel +
                ": found no chat template, expected chat_template.jinja, or chat_template in "
                "tokenizer_config.json (a base model? an instruction-tuned one has a template)\n");
}

}  // namespace
}  // namespace slayer
