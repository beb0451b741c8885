#include "slayer/train/compute.h"

#include <gtest/gtest.h>

namespace slayer {
namespace {

ModelConfig small_config(Dtype dtype) {
  ModelConfig config;
  config.hidden_size = 64;
  config.intermediate_size = 96;
  config.dtype = dtype;
  return config;
}

TEST(QuickerCompute, LeavesModelsOfOtherDtypesInFloat32) {
  EXPECT_EQ(quicker_compute(small_config(Dtype::kF32), at::kCPU), "float32");
  EXPECT_EQ(quicker_compute(small_config(Dtype::kF16), at::kCPU), "float32");
  EXPECT_EQ(quicker_compute(small_config(Dtype::kF32), at::Device(at::kCUDA, 0)), "float32");
}

TEST(QuickerCompute, TakesBfloat16OnGraphicsProcessors) {
  EXPECT_EQ(quicker_compute(small_config(Dtype::kBF16), at::Device(at::kCUDA, 0)), "bfloat16");
}

TEST(QuickerCompute, MeasuresOnTheCpu) {
  const std::string taken = quicker_compute(small_config(Dtype::kBF16), at::kCPU);
  EXPECT_TRUE(taken == "float32" || taken == "bfloat16") << taken;
}

}  // namespace
}  // namespace slayer
