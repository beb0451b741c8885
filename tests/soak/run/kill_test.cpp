#include <gtest/gtest.h>
#include <random>

#include "tests/support/killed_run.h"

namespace slayer {
namespace {

TEST_F(KilledRun, EndsInTheSameBytesAfterAHundredKills) {
  expect_same_bytes_after_kills(/*times=*/10, std::random_device()());
}

}  // namespace
}  // namespace slayer
