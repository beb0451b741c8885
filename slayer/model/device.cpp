#include "slayer/model/device.h"

#include <ATen/ATen.h>

#include <fmt/format.h>

#include "slayer/core/error.h"

namespace slayer {
namespace {

std::optional<at::Device> parse_device(const std::string& name) {
  try {
    return at::Device(name);
  } catch (const c10::Error&) {
    return std::nullopt;
  }
}

}  // namespace

at::Device device_from_name(const std::string& name) {
  const std::optional<at::Device> device = parse_device(name);
  if (!device || (!device->is_cpu() && !device->is_cuda())) {
    throw Error(
        {.file = "--device", .found = printable(name), .expected = "cpu, cuda or cuda:<n>"});
  }
  if (device->is_cuda()) {
    const auto gpus = at::hasCUDA() ? at::detail::getCUDAHooks().deviceCount() : 0;
    if (std::max<int>(device->index(), 0) >= gpus) {
      throw Error({.file = "--device",
                   .found = name,
                   .expected = fmt::format("one of the {} GPUs that libtorch sees", gpus),
                   .hint = "a libtorch built for CUDA is chosen with -DCMAKE_PREFIX_PATH"});
    }
  }
  return *device;
}

at::ScalarType scalar_type_from_name(const std::string& name) {
  if (name == "float32") {
    return at::kFloat;
  }
  if (name == "bfloat16") {
    return at::kBFloat16;
  }
  if (name == "float16") {
    return at::kHalf;
  }
  throw Error(
      {.file = "--dtype", .found = printable(name), .expected = "float32, bfloat16 or float16"});
}

Dtype dtype_of(at::ScalarType type) {
  switch (type) {
    case at::kBFloat16:
      return Dtype::kBF16;
    case at::kHalf:
      return Dtype::kF16;
    default:
      TORCH_CHECK(type == at::kFloat, "no checkpoint dtype for ", type);
      return Dtype::kF32;
  }
}

}  // namespace slayer
