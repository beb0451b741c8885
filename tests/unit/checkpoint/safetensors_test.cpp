#include "slayer/checkpoint/safetensors.h"

#include <cstring>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "slayer/checkpoint/shard_index.h"

#include "tests/support/error_message.h"

namespace slayer {
namespace {

std::vector<std::byte> file_of(std::string_view header, size_t data_size) {
  const uint64_t length = header.size();
  std::vector<std::byte> bytes(sizeof(length) + header.size() + data_size);
  std::memcpy(bytes.data(), &length, sizeof(length));
  std::memcpy(bytes.data() + sizeof(length), header.data(), header.size());
  return bytes;
}

std::string error_of(std::string_view header, size_t data_size) {
  return message_of([&] { parse_safetensors_header(file_of(header, data_size), "f"); });
}

TEST(SafetensorsHeader, ReadsTensorsInAnyOrderAndMetadata) {
  const auto bytes = file_of(R"({"__metadata__":{"format":"pt"},
      "b":{"dtype":"BF16","shape":[3],"data_offsets":[16,22]},
      "a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},
      "none":{"dtype":"F32","shape":[0,9],"data_offsets":[16,16]}}   )",
                             22);
  const SafetensorsHeader header = parse_safetensors_header(bytes, "f");
  EXPECT_EQ(header.metadata.at("format"), "pt");
  ASSERT_EQ(header.entries.size(), 3U);
  EXPECT_EQ(header.entries[0].info.name, "a");
  EXPECT_EQ(header.entries[0].offset, bytes.size() - 22);
  EXPECT_EQ(header.entries[1].info.name, "none");
  EXPECT_EQ(header.entries[2].info.dtype, Dtype::kBF16);
  EXPECT_EQ(header.entries[2].offset, bytes.size() - 6);
}

struct Refusal {
  std::string header;
  size_t data_size;
  std::string message;
};

TEST(SafetensorsHeader, RefusesWhatDoesNotFitTheFile) {
  const std::vector<Refusal> refusals{
      {R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})",
       15,
       "f: a.data_offsets: found [0, 16], expected a range within the 15 bytes after the header"},
      {R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[16,0]}})",
       16,
       "f: a.data_offsets: found [16, 0], expected a range within the 16 bytes after the header"},
      {R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,16]}})",
       16,
       "f: a.data_offsets: found 16 bytes, expected 12 for F32 [3]"},
      {R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0]}})",
       16,
       "f: a.data_offsets: found 1 numbers, expected [begin, end]"},
      {R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16.0]}})",
       16,
       "f: a.data_offsets: found 16.0, expected non-negative 64-bit integers"},
      {R"({"a":{"dtype":"F32","shape":[-4],"data_offsets":[0,16]}})",
       16,
       "f: a.shape: found -4, expected non-negative 64-bit integers"},
      {R"({"a":{"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,16]}})",
       16,
       "f: a.shape: found 9223372036854775808, expected non-negative 64-bit integers"},
      {R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}})",
       0,
       "f: a.shape: found [4611686018427387904, 4], expected a tensor that a file could hold"},
      {R"({"a":{"dtype":"F31","shape":[4],"data_offsets":[0,16]}})",
       16,
       "f: a.dtype: found F31, expected a safetensors dtype such as F32 or BF16"},
      {R"({"a":{"dtype":"F32","shape":[4]}})",
       16,
       "f: a.data_offsets: found nothing, expected this key"},
      {R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16],"x":1}})",
       16,
       "f: a.x: found an unknown key, expected one of dtype, shape, data_offsets"},
      {R"({"a":7})", 0, "f: a: found 7, expected a JSON object"},
      {R"([1])", 0, "f: found [1], expected a JSON object"},
      {R"({"__metadata__":{"n":1}})", 0, "f: __metadata__.n: found 1, expected a string"},
      {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},
          "b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}})",
       6,
       "f: b: found offset 2, expected 4, where the tensor before it ends (tensors overlap)"},
      {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},
          "b":{"dtype":"U8","shape":[2],"data_offsets":[5,7]}})",
       7,
       "f: b: found offset 5, expected 4, where the tensor before it ends (bytes that no tensor "
       "owns)"},
      {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})",
       9,
       "f: size: found 9 bytes after the header, expected 4, where the last tensor ends"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},
          "a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
       1,
       "f: a: found a duplicate key, expected each key once"},
  };
  for (const Refusal& refusal : refusals) {
    EXPECT_EQ(error_of(refusal.header, refusal.data_size), refusal.message);
  }
  EXPECT_EQ(error_of(std::string(200, '['), 0),
            "f: JSON nesting: found more than 128 levels, expected fewer");
}

TEST(SafetensorsHeader, RefusesLengthsBeyondTheFile) {
  const auto error_with_length = [](uint64_t length, size_t size) {
    std::vector<std::byte> bytes(size);
    std::memcpy(bytes.data(), &length, std::min(size, sizeof(length)));
    return message_of([&] { parse_safetensors_header(bytes, "f"); });
  };
  EXPECT_EQ(error_with_length(0, 7),
            "f: header: found a file of 7 bytes, expected a safetensors file (the file looks "
            "truncated)");
  EXPECT_EQ(error_with_length(3, 10),
            "f: header length: found 3 bytes, expected at most the 2 that follow (the file looks "
            "truncated)");
  EXPECT_EQ(error_with_length(UINT64_MAX, 10),
            "f: header length: found 18446744073709551615 bytes, expected at most 100000000 (is "
            "this a safetensors file?)");
}

TEST(ShardIndex, ReadsTheShardOfEachTensor) {
  const auto shard_of = parse_shard_index(
      R"({"metadata":{"total_size":1},"weight_map":{"b":"m-2.safetensors","a":"m-1.safetensors"}})",
      "i");
  EXPECT_EQ(shard_of.at("a"), "m-1.safetensors");
  EXPECT_EQ(shard_of.size(), 2U);
}

TEST(ShardIndex, RefusesNamesThatLeaveTheFolder) {
  for (const std::string name : {"../m.safetensors",
                                 "/m.safetensors",
                                 "a/m.safetensors",
                                 "..safetensors",
                                 ".safetensors",
                                 "m.bin",
                                 "m\\n.safetensors",
                                 ""}) {
    const std::string text = fmt::format(R"({{"weight_map":{{"a":"{}"}}}})", name);
    EXPECT_TRUE(message_of([&] {
                  parse_shard_index(text, "i");
                }).ends_with("expected the name of a .safetensors file beside the index"))
        << name;
  }
  EXPECT_EQ(message_of([] { parse_shard_index(R"({"weight_map":{}})", "i"); }),
            "i: weight_map: found no tensors, expected the shard of each tensor");
  EXPECT_EQ(message_of([] { parse_shard_index(R"({"weight_map":{"a":1}})", "i"); }),
            "i: weight_map.a: found 1, expected a string");
  EXPECT_EQ(message_of([] { parse_shard_index("{}", "i"); }),
            "i: weight_map: found nothing, expected this key");
}

}  // namespace
}  // namespace slayer
