#include "slayer/eval/request_encoding.h"

#include <gtest/gtest.h>

#include "slayer/checkpoint/checkpoint.h"

#include "tests/support/error_message.h"

namespace slayer {
namespace {

/// Bytes as tokens, some pairs merged; no BOS is added.
Tokenizer tokenizer() {
  const Checkpoint checkpoint = Checkpoint::open(SLAYER_FIXTURES "/models/smollm");
  return Tokenizer::from_side_files(checkpoint.side_files(), "smollm");
}

TEST(Pairs, CutTheFrontOfAContextThatIsTooLong) {
  const Tokenizer tokens = tokenizer();
  const std::string context = "qzqzqzqzqzqzqz";
  const RequestEncoder whole(tokens, 100);
  const EncodedGroup all = whole.pairs({{.context = context, .continuation = " x"}});
  EXPECT_EQ(all.cut_from, 0);
  const std::vector<TokenId>& sequence = all.sequences.front().tokens;
  const int64_t length = std::ssize(sequence);
  const RequestEncoder shorter(tokens, 5);
  const EncodedGroup cut = shorter.pairs({{.context = context, .continuation = " x"}});
  EXPECT_EQ(cut.cut_from, length - 1);
  EXPECT_EQ(cut.sequences.front().tokens, std::vector<TokenId>(sequence.end() - 6, sequence.end()));
  EXPECT_EQ(6 - cut.sequences.front().first_scored, length - all.sequences.front().first_scored);
}

TEST(Pairs, RefuseAContinuationThatDoesNotFit) {
  const Tokenizer tokens = tokenizer();
  const RequestEncoder encoder(tokens, 3);
  EXPECT_EQ(message_of([&] { encoder.pairs({{.context = "q", .continuation = "zqzqzqzq"}}); }),
            "continuation: found 8 tokens, expected from 1 to the model's 3");
}

TEST(Prompt, LosesItsFrontToMakeRoom) {
  const Tokenizer tokens = tokenizer();
  const RequestEncoder encoder(tokens, 10);
  const EncodedPrompt prompt = encoder.prompt("qzqzqzqz", 6);
  EXPECT_EQ(prompt.cut_from, 8);
  EXPECT_EQ(prompt.tokens.size(), 4U);
  EXPECT_EQ(encoder.prompt("qz", 6).cut_from, 0);
  EXPECT_EQ(message_of([&] { encoder.prompt("qz", 10); }),
            "prompt: found 2 tokens, 10 to generate, expected room for both in the model's 10");
}

}  // namespace
}  // namespace slayer
