#include "slayer/model/load.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <cassert>
#include <cstdint>

#include "slayer/checkpoint/family.h"
#include "slayer/core/dtype.h"
#include "slayer/model/device.h"

namespace slayer {
namespace {

constexpr int64_t kElementsPerRead = int64_t{1} << 18;

/// The mapped file as a tensor, or an undefined one where the bytes are not the elements.
at::Tensor map(const Checkpoint& checkpoint, const TensorInfo& info, at::ScalarType dtype) {
  const std::optional<StoredBytes> stored = checkpoint.stored(info);
  if (!stored || info.dtype != dtype_of(dtype)) {
    return {};
  }
  void* const data = const_cast<std::byte*>(stored->bytes().data());
  if (reinterpret_cast<uintptr_t>(data) % c10::elementSize(dtype) != 0) {
    return {};
  }
  // The deleter's copy of the checkpoint keeps the file mapped as long as the tensor lives.
  return at::from_blob(data, info.shape, [checkpoint](void*) {}, dtype);
}

/// Reads and converts, a piece per thread at a time.
at::Tensor read(const Checkpoint& checkpoint, const TensorInfo& info, at::ScalarType dtype) {
  const at::Tensor tensor = at::empty(info.shape, dtype);
  auto* const bytes = static_cast<std::byte*>(tensor.mutable_data_ptr());
  const auto element_size = static_cast<int64_t>(tensor.element_size());
  at::parallel_for(0, tensor.numel(), kElementsPerRead, [&](int64_t begin, int64_t end) {
    std::vector<float> values;
    for (; begin < end; begin += kElementsPerRead) {
      const int64_t count = std::min(kElementsPerRead, end - begin);
      const std::span target(bytes + begin * element_size,
                             static_cast<size_t>(count * element_size));
      if (dtype == at::kFloat) {
        checkpoint.read(
            info, begin, {reinterpret_cast<float*>(target.data()), static_cast<size_t>(count)});
      } else {
        values.resize(static_cast<size_t>(count));
        checkpoint.read(info, begin, values);
        narrow_from_float(dtype_of(dtype), values, target);
      }
    }
  });
  return tensor;
}

}  // namespace

CausalLM load_causal_lm(const Checkpoint& checkpoint, at::ScalarType dtype, at::Device device) {
  checkpoint.require_complete();
  CausalLM model;
  model.config = checkpoint.config();
  for (const auto& window : model.config.sliding_window) {
    model.layers.emplace_back().sliding_window = window;
  }
  for (const ExpectedTensor& expected : expected_tensors(model.config)) {
    const TensorInfo* const info = checkpoint.find(expected.name);
    assert(info != nullptr);
    at::Tensor tensor = map(checkpoint, *info, dtype);
    if (!tensor.defined()) {
      tensor = read(checkpoint, *info, dtype);
    }
    tensor_of(model, expected) = tensor.to(device);
  }
  if (model.config.tie_word_embeddings) {
    model.lm_head = model.embed_tokens;
  }
  return model;
}

}  // namespace slayer
