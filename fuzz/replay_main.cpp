#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fmt/format.h>
#include <string>
#include <vector>

#include "slayer/core/file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

// Runs a fuzz target once over every file of the folders given, in place of libFuzzer's main.
int main(int argc, char** argv) try {
  std::vector<std::filesystem::path> inputs;
  for (int argument = 1; argument < argc; ++argument) {
    for (const auto& entry : std::filesystem::directory_iterator(argv[argument])) {
      inputs.push_back(entry.path());
    }
  }
  std::ranges::sort(inputs);
  for (const std::filesystem::path& input : inputs) {
    const std::string content = slayer::read_text_file(input);
    // Shown before it is run, for a crash to name it.
    fmt::print("{}\n", input.filename().string());
    std::fflush(stdout);
    LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(content.data()), content.size());
  }
  return inputs.empty() ? 1 : 0;
} catch (const std::exception& error) {
  fmt::print(stderr, "{}\n", error.what());
  return 1;
}
