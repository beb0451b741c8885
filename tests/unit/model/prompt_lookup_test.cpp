#include "slayer/model/prompt_lookup.h"

#include <gtest/gtest.h>

namespace slayer {
namespace {

using Tokens = std::vector<int32_t>;

TEST(PromptLookup, GivesWhatFollowedTheLastThreeTokensTheLastTime) {
  const Tokens tokens{1, 2, 3, 4, 1, 2, 3, 5, 6, 1, 2, 3};
  EXPECT_EQ(look_up_draft(tokens, 2), (Tokens{5, 6}));
  EXPECT_EQ(look_up_draft(tokens, 9), (Tokens{5, 6, 1, 2, 3}));
  EXPECT_EQ(look_up_draft(tokens, 0), Tokens{});
}

TEST(PromptLookup, SeesARepetitionThatOverlapsItself) {
  EXPECT_EQ(look_up_draft(Tokens{7, 7, 7, 7}, 3), Tokens{7});
}

TEST(PromptLookup, GivesNothingForWhatIsNew) {
  EXPECT_EQ(look_up_draft(Tokens{1, 2, 3, 4, 5}, 3), Tokens{});
  EXPECT_EQ(look_up_draft(Tokens{1, 2, 3}, 3), Tokens{});
  EXPECT_EQ(look_up_draft(Tokens{}, 3), Tokens{});
}

}  // namespace
}  // namespace slayer
