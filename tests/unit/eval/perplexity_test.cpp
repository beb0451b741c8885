#include "slayer/eval/perplexity.h"

#include <cmath>
#include <gtest/gtest.h>

namespace slayer {
namespace {

PerplexityResult of_loss(double loss) {
  PerplexityResult result;
  result.loss = loss;
  result.perplexity = perplexity_of(loss);
  result.tokens = 9;
  result.documents = {{.loss = 9.0 * loss, .tokens = 9}};
  return result;
}

TEST(Perplexity, OfADivergedModelIsANumberThatCanBeWritten) {
  const PerplexityResult base = of_loss(3.0);
  const PerplexityResult diverged = of_loss(1e6);
  EXPECT_DOUBLE_EQ(base.perplexity, std::exp(3.0));
  const PerplexityResult read = perplexity_from_json(
      parse_json(json_text(perplexity_to_json(diverged)), "new.json"), "new.json");
  EXPECT_GT(read.perplexity, 1e300);
  EXPECT_TRUE(std::isfinite(compare_perplexity(base, read, {}).perplexity_ratio));
}

}  // namespace
}  // namespace slayer
