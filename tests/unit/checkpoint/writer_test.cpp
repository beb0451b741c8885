#include "slayer/checkpoint/writer.h"

#include <filesystem>
#include <gtest/gtest.h>
#include <numeric>

#include "slayer/checkpoint/safetensors.h"
#include "slayer/core/file.h"

#include "tests/support/error_message.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/tiny_checkpoint.h"

namespace slayer {
namespace {

std::vector<std::string> names_in(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    names.push_back(entry.path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

TEST(WriteSafetensors, LaysOutTheFileAsTheFormatSays) {
  const ScratchFolder folder;
  const std::vector<TensorToWrite> tensors{tensor_of("h", Dtype::kBF16, {3}, {1, 2, 3}),
                                           tensor_of("f", Dtype::kF32, {1, 1}, {1})};
  write_safetensors(folder.path(), tensors, kDefaultShardBytes, [](int64_t) {});
  const std::string file = read_text_file(folder / "model.safetensors");
  // Wide elements first: both tensors lie aligned to their elements.
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"f":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]},)"
      R"("h":{"dtype":"BF16","shape":[3],"data_offsets":[4,10]}})";
  const size_t padded = (header.size() + 7) / 8 * 8;
  EXPECT_EQ(file.substr(8, header.size()), header);
  EXPECT_EQ(file.substr(8 + header.size(), padded - header.size()),
            std::string(padded - header.size(), ' '));
  EXPECT_EQ(static_cast<size_t>(static_cast<unsigned char>(file[0])), padded);
  EXPECT_EQ(file.substr(8 + padded), std::string("\0\0\x80\x3f\x80\x3f\0\x40\x40\x40", 10));
}

TEST(WriteSafetensors, StartsAShardWhereTheNextTensorWouldNotFit) {
  const ScratchFolder folder;
  const std::vector<TensorToWrite> tensors{tensor_of("a", Dtype::kF32, {2}, {1, 2}),
                                           tensor_of("b", Dtype::kF32, {9}, std::vector(9, 0.0F)),
                                           tensor_of("c", Dtype::kF32, {2}, {1, 2}),
                                           tensor_of("d", Dtype::kF32, {2}, {1, 2})};
  std::vector<int64_t> reported;
  write_safetensors(folder.path(), tensors, 16, [&](int64_t bytes) { reported.push_back(bytes); });
  EXPECT_EQ(names_in(folder.path()),
            (std::vector<std::string>{"model-00001-of-00003.safetensors",
                                      "model-00002-of-00003.safetensors",
                                      "model-00003-of-00003.safetensors",
                                      "model.safetensors.index.json"}));
  const Json index = read_json_file(folder / "model.safetensors.index.json");
  EXPECT_EQ(index["metadata"]["total_size"], 60);
  EXPECT_EQ(index["weight_map"]["b"], "model-00002-of-00003.safetensors");
  EXPECT_EQ(index["weight_map"]["d"], "model-00003-of-00003.safetensors");
  int64_t on_disk = 0;
  for (const std::string& name : names_in(folder.path())) {
    if (name.ends_with(".safetensors")) {
      on_disk += static_cast<int64_t>(std::filesystem::file_size(folder / name));
    }
  }
  EXPECT_EQ(std::accumulate(reported.begin(), reported.end(), int64_t{0}), on_disk);
}

TEST(WriteSafetensors, WritesTheSameBytesForTheSameInput) {
  const ScratchFolder first;
  const ScratchFolder second;
  for (const ScratchFolder* folder : {&first, &second}) {
    write_tiny_checkpoint(folder->path(), tiny_llama_config(), Dtype::kBF16, 700);
  }
  ASSERT_GT(names_in(first.path()).size(), 3U);
  for (const std::string& name : names_in(first.path())) {
    EXPECT_EQ(read_text_file(first / name), read_text_file(second / name)) << name;
  }
}

TEST(WriteSafetensors, NamesTheFileThatCannotBeWritten) {
  const ScratchFolder folder;
  EXPECT_EQ(message_of([&] { write_safetensors(folder / "none", {}, 1, [](int64_t) {}); }),
            (folder / "none/model.safetensors").string() +
                ": cannot create: found No such file or directory");
}

}  // namespace
}  // namespace slayer
