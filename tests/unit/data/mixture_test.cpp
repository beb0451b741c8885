#include "slayer/data/mixture.h"

#include <cmath>
#include <gtest/gtest.h>
#include <map>
#include <set>

#include "tests/support/error_message.h"
#include "tests/support/text_file.h"

namespace slayer {
namespace {

TEST(WeightedText, HasItsWeightBehindTheLastEqualsSign) {
  EXPECT_EQ(parse_weighted_text("laws/").pattern, "laws/");
  EXPECT_FALSE(parse_weighted_text("laws/").weight);
  EXPECT_EQ(parse_weighted_text("a=b.txt=0.5").pattern, "a=b.txt");
  EXPECT_EQ(parse_weighted_text("a=b.txt=0.5").weight, 0.5);
  EXPECT_EQ(parse_weighted_text("a=b.txt").pattern, "a=b.txt");
  EXPECT_EQ(message_of([] { parse_weighted_text("a=0"); }),
            "--data: a=0: found weight 0, expected a weight above 0");
  const ScratchFolder folder;
  const std::string file = file_in(folder, "a.txt=2", "");
  EXPECT_EQ(parse_weighted_text(file).pattern, file);
}

TEST(TextSources, AreOneWithoutWeightsAndOneEachWithThem) {
  const std::vector<TextSource> one = sources_of({{.pattern = "a"}, {.pattern = "b"}});
  ASSERT_EQ(one.size(), 1U);
  EXPECT_EQ(one[0].patterns, (std::vector<std::string>{"a", "b"}));
  const std::vector<TextSource> two =
      sources_of({{.pattern = "a", .weight = 3.0}, {.pattern = "b", .weight = 1.0}});
  ASSERT_EQ(two.size(), 2U);
  EXPECT_EQ(two[0].share, 0.75);
  EXPECT_EQ(two[1].patterns, std::vector<std::string>{"b"});
  EXPECT_EQ(message_of([] { sources_of({{.pattern = "a", .weight = 3.0}, {.pattern = "b"}}); }),
            "--data: b: found no weight, expected a weight for every text, or for none");
}

TEST(MixtureOrder, OfOneSourceIsItsEpochOrder) {
  const MixtureOrder mixture({17}, {1.0}, /*seed=*/3);
  const EpochOrder order(17, /*seed=*/3);
  for (int64_t draw = 0; draw < 60; ++draw) {
    EXPECT_EQ(mixture.at(draw).source, 0U);
    EXPECT_EQ(mixture.at(draw).index, order.at(draw));
  }
  EXPECT_EQ(mixture.draws_per_epoch(), 17);
}

TEST(MixtureOrder, GivesEachSourceItsShareAtAnyMoment) {
  const std::vector<double> shares{0.7, 0.2, 0.1};
  const MixtureOrder mixture({50, 7, 3}, shares, /*seed=*/1);
  std::vector<int64_t> given(3, 0);
  for (int64_t draw = 0; draw < 5000; ++draw) {
    ++given[mixture.at(draw).source];
    for (size_t source = 0; source < 3; ++source) {
      EXPECT_LT(std::abs(static_cast<double>(given[source]) -
                         shares[source] * static_cast<double>(draw + 1)),
                2.0)
          << draw;
    }
  }
}

TEST(MixtureOrder, DrawsEverySequenceOfASourceOnceAnEpochOfIt) {
  const MixtureOrder mixture({50, 7}, {0.8, 0.2}, /*seed=*/1);
  std::map<size_t, std::vector<int64_t>> drawn;
  for (int64_t draw = 0; draw < 1000; ++draw) {
    const Draw one = mixture.at(draw);
    drawn[one.source].push_back(one.index);
  }
  for (const auto& [source, count] : {std::pair<size_t, size_t>{0, 50}, {1, 7}}) {
    const std::vector<int64_t>& indices = drawn[source];
    for (size_t begin = 0; begin + count <= indices.size(); begin += count) {
      const std::set<int64_t> epoch(indices.begin() + static_cast<std::ptrdiff_t>(begin),
                                    indices.begin() + static_cast<std::ptrdiff_t>(begin + count));
      ASSERT_EQ(epoch.size(), count);
    }
  }
}

TEST(MixtureOrder, CountsAnEpochByItsFirstSource) {
  const MixtureOrder mixture({9, 1000}, {0.9, 0.1}, /*seed=*/1);
  std::set<int64_t> seen;
  for (int64_t draw = 0; draw < mixture.draws_per_epoch(); ++draw) {
    EXPECT_LT(seen.size(), 9U) << "an epoch ends no later than it must";
    if (const Draw one = mixture.at(draw); one.source == 0) {
      seen.insert(one.index);
    }
  }
  EXPECT_EQ(seen.size(), 9U);
}

}  // namespace
}  // namespace slayer
