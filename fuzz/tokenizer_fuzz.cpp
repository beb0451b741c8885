#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "slayer/core/error.h"
#include "slayer/tokenizer/tokenizer.h"

/// A tokenizer file, a zero byte, and a text to encode with it and decode again: all are hostile.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace slayer;  // NOLINT(google-build-using-namespace): one function.
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t zero = std::min(input.find('\0'), size);
  const std::string file(input.substr(0, zero));
  const std::string_view text = input.substr(std::min(zero + 1, size));
  for (const char* const name : {"tokenizer.json", "tokenizer.model"}) {
    try {
      const Tokenizer tokenizer = Tokenizer::from_side_files({{name, file}}, "fuzz");
      const auto ids = tokenizer.encode(text, true);
      StreamDecoder stream(tokenizer, false);
      std::string shown;
      for (const TokenId id : ids) {
        shown += stream.push(id);
      }
      tokenizer.decode(ids, true);
    } catch (const Error&) {
      // What a hostile file must give.
    }
  }
  return 0;
}
