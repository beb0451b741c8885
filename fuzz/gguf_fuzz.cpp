#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

#include "slayer/checkpoint/checkpoint.h"
#include "slayer/core/error.h"
#include "slayer/core/output_file.h"

namespace {

/// A file of this process, written anew for each input; the reader maps files.
std::filesystem::path input_path() {
  static const std::filesystem::path kPath =
      std::filesystem::temp_directory_path() / ("slayer-fuzz-" + std::to_string(::getpid()));
  return kPath;
}

/// Enough to reach every block form, little enough to be fast.
constexpr int64_t kLargestRead = 1 << 16;

}  // namespace

/// Any bytes as a GGUF: everything that it describes can be read, or an Error.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    slayer::OutputFile file(input_path());
    file.write(std::string_view(reinterpret_cast<const char*>(data), size));
    const slayer::Checkpoint checkpoint = slayer::Checkpoint::open(input_path());
    for (const slayer::TensorInfo& tensor : checkpoint.tensors()) {
      std::vector<float> values(
          static_cast<size_t>(std::min(tensor.element_count(), kLargestRead)));
      checkpoint.read(tensor, 0, values);
    }
    checkpoint.hash();
    checkpoint.side_files();
  } catch (const slayer::Error&) {
  }
  return 0;
}
