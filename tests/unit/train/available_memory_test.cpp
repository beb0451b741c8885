#include "slayer/train/available_memory.h"

#include <gtest/gtest.h>

namespace slayer {
namespace {

TEST(AvailableMemory, IsBetweenAMegabyteAndAPetabyte) {
  const std::optional<int64_t> memory = available_memory();
  ASSERT_TRUE(memory);
  EXPECT_GT(*memory, int64_t{1} << 20U);
  EXPECT_LT(*memory, int64_t{1} << 50U);
}

}  // namespace
}  // namespace slayer
