#include "slayer/checkpoint/checkpoint.h"

#include <gtest/gtest.h>

#include "tests/support/error_message.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/tiny_checkpoint.h"

namespace slayer {
namespace {

/// All tensors read back equal what tiny_tensors wrote.
void expect_tiny_values(const Checkpoint& checkpoint) {
  const auto expected = expected_tensors(checkpoint.config());
  for (size_t tensor = 0; tensor < expected.size(); ++tensor) {
    SCOPED_TRACE(expected[tensor].name);
    const TensorInfo* info = checkpoint.find(expected[tensor].name);
    ASSERT_NE(info, nullptr);
    EXPECT_EQ(info->shape, expected[tensor].shape);
    std::vector<float> values(static_cast<size_t>(info->element_count()));
    checkpoint.read(*info, 0, values);
    for (size_t index = 0; index < values.size(); ++index) {
      ASSERT_EQ(values[index], tiny_value(tensor, static_cast<int64_t>(index)));
    }
  }
}

TEST(Checkpoint, ReadsEveryValueOfASingleFile) {
  for (const Dtype dtype : {Dtype::kF32, Dtype::kBF16, Dtype::kF16, Dtype::kF64}) {
    const ScratchFolder folder;
    write_tiny_checkpoint(folder.path(), tiny_llama_config(), dtype);
    const Checkpoint checkpoint = Checkpoint::open(folder.path());
    EXPECT_TRUE(checkpoint.problems().empty());
    EXPECT_FALSE(checkpoint.is_gguf());
    EXPECT_EQ(checkpoint.config().num_hidden_layers, 2);
    EXPECT_EQ(checkpoint.tensors().size(), 21U);
    EXPECT_NO_THROW(checkpoint.require_complete());
    expect_tiny_values(checkpoint);
  }
}

}  // namespace
}  // namespace slayer
