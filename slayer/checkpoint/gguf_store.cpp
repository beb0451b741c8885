#include "slayer/checkpoint/tensor_store.h"
#include "slayer/core/error.h"

namespace slayer {

std::unique_ptr<TensorStore> open_gguf(const std::filesystem::path& file) {
  throw Error({.file = file.string(), .found = "a GGUF file", .expected = "a folder"});
}

}  // namespace slayer
