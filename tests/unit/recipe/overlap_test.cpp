#include "slayer/recipe/overlap.h"

#include <gtest/gtest.h>

namespace slayer {
namespace {

constexpr const char* kThirteen =
    "one two three four five six seven eight nine ten eleven twelve 13";

TEST(Overlap, IsThirteenWordsInARow) {
  OverlapFinder finder;
  const int64_t item = finder.add_item(std::string("Zero: ") + kThirteen + ".");
  const int64_t other = finder.add_item("one two three");
  finder.scan("three four five six seven eight nine ten eleven twelve 13 and no more");
  EXPECT_FALSE(finder.is_found(item));
  finder.scan("He counted: One, TWO, three\nfour five six seven eight nine ten eleven twelve 13!");
  EXPECT_TRUE(finder.is_found(item));
  EXPECT_FALSE(finder.is_found(other)) << "too short to be found by";
}

TEST(Overlap, DependsOnTheOrderOfTheWords) {
  OverlapFinder finder;
  const int64_t item = finder.add_item(kThirteen);
  finder.scan("two one three four five six seven eight nine ten eleven twelve 13");
  EXPECT_FALSE(finder.is_found(item));
}

TEST(Overlap, IsMarkedForEveryItemThatHasTheWords) {
  OverlapFinder finder;
  const int64_t first = finder.add_item(kThirteen);
  const int64_t second = finder.add_item(std::string(kThirteen) + " " + kThirteen);
  finder.scan(kThirteen);
  EXPECT_TRUE(finder.is_found(first));
  EXPECT_TRUE(finder.is_found(second));
}

}  // namespace
}  // namespace slayer
