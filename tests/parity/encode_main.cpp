// Encodes for tests/parity/tokenizers.py, which compares with Hugging Face's package.
//
// encode_main FOLDER (encode|plain|decode|skip|bench) [threads]: reads documents from stdin, each a
// uint32 count of bytes and the bytes (text, or int32 ids for decode and skip, which leaves special
// tokens out), and writes the answers in the same form. `plain` adds no special tokens. `bench`
// encodes all documents, then prints wall and CPU seconds instead.
#include <chrono>
#include <cstring>
#include <ctime>
#include <fmt/format.h>
#include <iostream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "slayer/core/error.h"
#include "slayer/core/file.h"
#include "slayer/tokenizer/tokenizer.h"

namespace slayer {
namespace {

Tokenizer tokenizer_of(const std::filesystem::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    files.emplace(entry.path().filename().string(), read_text_file(entry.path()));
  }
  return Tokenizer::from_side_files(files, folder.string());
}

std::vector<std::string_view> documents_of(std::string_view input) {
  std::vector<std::string_view> documents;
  while (input.size() >= sizeof(uint32_t)) {
    uint32_t size = 0;
    std::memcpy(&size, input.data(), sizeof(size));
    documents.push_back(input.substr(sizeof(size), size));
    input.remove_prefix(sizeof(size) + documents.back().size());
  }
  return documents;
}

void write_answer(std::string_view bytes) {
  const auto size = static_cast<uint32_t>(bytes.size());
  std::cout.write(std::bit_cast<const char*>(&size), sizeof(size));
  std::cout.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

void encode_all(const Tokenizer& tokenizer,
                const std::vector<std::string_view>& documents,
                bool add_special_tokens) {
  for (const auto& ids : tokenizer.encode_batch(documents, add_special_tokens, 1)) {
    write_answer({std::bit_cast<const char*>(ids.data()), ids.size() * sizeof(TokenId)});
  }
}

void decode_all(const Tokenizer& tokenizer,
                const std::vector<std::string_view>& documents,
                bool skip_special_tokens) {
  for (const std::string_view document : documents) {
    std::vector<TokenId> ids(document.size() / sizeof(TokenId));
    std::memcpy(ids.data(), document.data(), ids.size() * sizeof(TokenId));
    write_answer(tokenizer.decode(ids, skip_special_tokens));
  }
}

void bench(const Tokenizer& tokenizer,
           const std::vector<std::string_view>& documents,
           int threads) {
  const auto wall = std::chrono::steady_clock::now();
  const std::clock_t cpu = std::clock();
  size_t tokens = 0;
  for (const auto& ids : tokenizer.encode_batch(documents, true, threads)) {
    tokens += ids.size();
  }
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - wall;
  fmt::print("{} {} {}\n",
             tokens,
             elapsed.count(),
             static_cast<double>(std::clock() - cpu) / CLOCKS_PER_SEC);
}

int run(const std::vector<std::string>& arguments) {
  const Tokenizer tokenizer = tokenizer_of(arguments.at(1));
  const std::string input(std::istreambuf_iterator<char>(std::cin), {});
  const auto documents = documents_of(input);
  const std::string& mode = arguments.at(2);
  if (mode == "bench") {
    bench(tokenizer, documents, std::stoi(arguments.at(3)));
  } else if (mode == "decode" || mode == "skip") {
    decode_all(tokenizer, documents, mode == "skip");
  } else {
    encode_all(tokenizer, documents, mode == "encode");
  }
  return 0;
}

}  // namespace
}  // namespace slayer

int main(int argc, char** argv) {
  try {
    return slayer::run({argv, argv + argc});
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
