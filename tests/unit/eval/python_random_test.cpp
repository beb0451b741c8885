#include "slayer/eval/python_random.h"

#include <gtest/gtest.h>

namespace slayer {
namespace {

using Indices = std::vector<int64_t>;

// All values from CPython 3.11: random.Random(1234).

TEST(PythonRandom, DrawsTheWordsOfCPython) {
  PythonRandom random(1234);
  EXPECT_EQ(random.next_u32(), 0xf7697fb9U);
  EXPECT_EQ(random.next_u32(), 0xc735df5eU);
  EXPECT_EQ(random.next_u32(), 0x70d3da1fU);
  EXPECT_EQ(random.next_u32(), 0x1de9ea66U);
  for (int i = 4; i < 1000; ++i) {
    random.next_u32();
  }
  EXPECT_EQ(random.next_u32(), 0xc25dbd51U);  // From the second refill of the state.
  EXPECT_EQ(PythonRandom(7).next_u32(), 0x52e6b438U);
}

TEST(PythonRandom, SamplesLargePopulationsAsASet) {
  PythonRandom random(1234);
  EXPECT_EQ(random.sample(7473, 5), (Indices{6374, 3610, 957, 61, 742}));
  EXPECT_EQ(random.sample(7473, 5), (Indices{7462, 6610, 4769, 286, 5501}));
  EXPECT_EQ(PythonRandom(1234).sample(39905, 11),
            (Indices{28883, 7657, 490, 5940, 38156, 2288, 5500, 6450, 23241, 15519, 1142}));
}

TEST(PythonRandom, SamplesSmallPopulationsFromACopy) {
  PythonRandom random(1234);
  EXPECT_EQ(random.sample(20, 5), (Indices{14, 3, 0, 2, 1}));
  EXPECT_EQ(random.sample(40, 6), (Indices{5, 6, 22, 15, 1, 35}));
  EXPECT_EQ(random.sample(3, 3), (Indices{0, 1, 2}));
}

TEST(PythonRandom, SamplesManyShotsOfArcChallenge) {
  PythonRandom random(1234);
  Indices first = random.sample(1119, 25);
  first.resize(6);
  EXPECT_EQ(first, (Indices{902, 239, 15, 185, 71, 171}));
  Indices second = random.sample(1119, 25);
  second.resize(3);
  EXPECT_EQ(second, (Indices{954, 140, 182}));
}

}  // namespace
}  // namespace slayer
