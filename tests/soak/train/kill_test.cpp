#include <gtest/gtest.h>
#include <random>

#include "tests/support/killed_training.h"

namespace slayer {
namespace {

TEST(KilledTraining, EndsInTheSameBytesAfterFiftyKills) {
  expect_same_bytes_after_kills(/*kills=*/50, std::random_device()());
}

}  // namespace
}  // namespace slayer
