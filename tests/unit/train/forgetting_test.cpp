#include "slayer/train/forgetting.h"

#include <cmath>
#include <gtest/gtest.h>

namespace slayer {
namespace {

WatchRecord record_from(double domain, double general) {
  return {.base = WatchedLosses{.domain = domain, .general = general}};
}

TEST(WatchRecord, MeasuresForgettingAsGrowthOfPerplexity) {
  const WatchRecord record = record_from(3.0, 2.0);
  EXPECT_NEAR(record.forgetting({.general = 2.0 + std::log(1.05)}), 0.05, 1e-12);
  EXPECT_EQ(record.forgetting({.domain = 9.0}), 0.0);
  EXPECT_EQ(WatchRecord().forgetting({.general = 9.0}), 0.0);
}

TEST(WatchRecord, KeepsTheStepWithTheLowestWantedLoss) {
  WatchRecord record = record_from(3.0, 2.0);
  record.add(10, {.domain = 2.5, .general = 2.0}, 0.05);
  record.add(20, {.domain = 2.6, .general = 1.9}, 0.05);
  EXPECT_EQ(record.best_step, 10);
  record.add(30, {.domain = 2.4, .general = 2.04}, 0.05);
  EXPECT_EQ(record.best_step, 30);
  EXPECT_EQ(record.best_loss, 2.4);
  EXPECT_FALSE(record.has_stopped);
}

TEST(WatchRecord, StopsWhereTooMuchIsForgotten) {
  WatchRecord record = record_from(3.0, 2.0);
  record.add(10, {.domain = 2.5, .general = 2.0}, 0.05);
  record.add(20, {.domain = 2.0, .general = 2.06}, 0.05);
  EXPECT_TRUE(record.has_stopped);
  EXPECT_EQ(record.best_step, 10);
}

TEST(WatchRecord, GoesOnWithoutALimit) {
  WatchRecord record = record_from(3.0, 2.0);
  record.add(10, {.domain = 2.5, .general = 5.0}, std::nullopt);
  EXPECT_FALSE(record.has_stopped);
  EXPECT_EQ(record.best_step, 10);
}

TEST(WatchRecord, ComesBackFromJson) {
  WatchRecord record = record_from(3.0, 2.0);
  record.add(10, {.domain = 2.5, .general = 2.0}, 0.05);
  const Json json = to_json(record);
  EXPECT_EQ(to_json(watch_record_from_json(JsonObject(json, "state.json"))), json);
  const Json empty = to_json(WatchRecord());
  EXPECT_FALSE(watch_record_from_json(JsonObject(empty, "state.json")).base);
}

TEST(WatchedText, HasAKeyOfItsTokens) {
  EXPECT_NE((WatchedText{.documents = {{1, 2}, {3}}}.key()),
            (WatchedText{.documents = {{1}, {2, 3}}}.key()));
}

}  // namespace
}  // namespace slayer
