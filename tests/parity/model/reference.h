#pragma once

#include <ATen/ATen.h>

#include <gtest/gtest.h>
#include <map>
#include <string>

#include "slayer/checkpoint/checkpoint.h"
#include "slayer/checkpoint/safetensors.h"
#include "slayer/model/load.h"

namespace slayer::test {

inline std::string model_folder(const std::string& name) {
  return std::string(SLAYER_FIXTURES) + "/models/" + name;
}

inline CausalLM load_tiny(const std::string& name, at::ScalarType dtype = at::kFloat) {
  return load_causal_lm(Checkpoint::open(model_folder(name)), dtype, at::kCPU);
}

/// What transformers computed for a tiny model, see tools/fixtures/make_tiny_models.py.
inline std::map<std::string, at::Tensor> reference_of(const std::string& name) {
  const std::string path = model_folder(name) + "/reference.safetensors";
  const MappedFile file{path};
  std::map<std::string, at::Tensor> tensors;
  for (const auto& entry : parse_safetensors_header(file.bytes(), path).entries) {
    const auto type = entry.info.dtype == Dtype::kI64 ? at::kLong : at::kFloat;
    const at::Tensor tensor = at::empty(entry.info.shape, type);
    std::memcpy(tensor.mutable_data_ptr(), file.bytes().data() + entry.offset, tensor.nbytes());
    tensors[entry.info.name] = tensor;
  }
  return tensors;
}

/// Largest difference of two tensors over the largest value of the second; NaN where either has
/// one, which no bound accepts.
inline double relative_difference(const at::Tensor& actual, const at::Tensor& expected) {
  const at::Tensor wanted = expected.to(at::kDouble);
  EXPECT_EQ(actual.sizes(), expected.sizes());
  return ((actual.to(at::kDouble) - wanted).abs().max() / wanted.abs().max()).item<double>();
}

}  // namespace slayer::test
