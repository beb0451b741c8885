#include "slayer/checkpoint/gguf_reader.h"

#include <gtest/gtest.h>

#include "slayer/core/file.h"

#include "tests/support/error_message.h"
#include "tests/support/gguf_builder.h"
#include "tests/support/scratch_folder.h"

namespace slayer {
namespace {

class GgufReader : public testing::Test {
 protected:
  GgufFile open(const GgufBuilder& gguf) const {
    write_text_file(path(), gguf.build());
    return GgufFile::open(path());
  }

  /// What is wrong with the file, without its path.
  std::string error_of(const GgufBuilder& gguf) const {
    const std::string message = message_of([&] { open(gguf); });
    const std::string prefix = path().string() + ": ";
    return message.starts_with(prefix) ? message.substr(prefix.size()) : message;
  }

  std::filesystem::path path() const { return folder_ / "m.gguf"; }

 private:
  ScratchFolder folder_;
};

using B = GgufBuilder;

TEST_F(GgufReader, ReadsEveryTypeOfValue) {
  GgufBuilder gguf;
  gguf.raw("u8", 0, B::bytes(uint8_t{200}))
      .raw("i8", 1, B::bytes(int8_t{-5}))
      .raw("u16", 2, B::bytes(uint16_t{60000}))
      .raw("i16", 3, B::bytes(int16_t{-600}))
      .raw("u32", 4, B::bytes(uint32_t{4000000000}))
      .raw("i32", 5, B::bytes(int32_t{-7}))
      .raw("f32", 6, B::bytes(9.99999975e-06F))
      .raw("bool", 7, B::bytes(uint8_t{1}))
      .raw("u64", 10, B::bytes(uint64_t{1} << 40U))
      .raw("i64", 11, B::bytes(int64_t{-1} * (int64_t{1} << 40)))
      .raw("f64", 12, B::bytes(0.1))
      .string("text", "x\n")
      .strings("texts", {"a", ""})
      .i32s("numbers", {1, -2})
      .f32s("floats", {0.1F, 2.0F});
  const GgufFile file = open(gguf);
  constexpr int64_t most = int64_t{1} << 50;
  EXPECT_EQ(file.integer("u8", 0, 255), 200);
  EXPECT_EQ(file.integer("i8", -9, 9), -5);
  EXPECT_EQ(file.integer("u16", 0, most), 60000);
  EXPECT_EQ(file.integer("i16", -most, 0), -600);
  EXPECT_EQ(file.integer("u32", 0, most), 4000000000);
  EXPECT_EQ(file.integer("i32", -7, -7), -7);
  EXPECT_EQ(file.number("f32"), 1e-5) << "the shortest decimal of the float";
  EXPECT_TRUE(file.boolean("bool"));
  EXPECT_EQ(file.integer("u64", 0, most), int64_t{1} << 40);
  EXPECT_EQ(file.integer("i64", -most, 0), -(int64_t{1} << 40));
  EXPECT_EQ(file.number("f64"), 0.1);
  EXPECT_EQ(file.number("u8"), 200.0);
  EXPECT_EQ(file.string("text"), "x\n");
  EXPECT_EQ(file.strings("texts"), (std::vector<std::string_view>{"a", ""}));
  EXPECT_EQ(file.integers("numbers", -2, 1), (std::vector<int64_t>{1, -2}));
  EXPECT_EQ(file.numbers("floats"), (std::vector<double>{0.1, 2.0}));
  EXPECT_TRUE(file.is_array("floats"));
  EXPECT_FALSE(file.is_array("text"));
  EXPECT_FALSE(file.optional_integer("absent", 0, 1).has_value());
  EXPECT_TRUE(file.boolean_or("absent", true));
  EXPECT_EQ(file.string_or("absent", "y"), "y");
}

TEST_F(GgufReader, FindsTensorsAtTheStatedAlignment) {
  GgufBuilder gguf;
  gguf.alignment = 64;
  gguf.u32("general.alignment", 64)
      .tensor("a", {2}, {1, 2})
      .tensor("b", {3, 2}, {1, 2, 3, 4, 5, 6});
  const GgufFile file = open(gguf);
  const GgufTensor* const b = file.find("b");
  ASSERT_NE(b, nullptr);
  EXPECT_EQ(b->shape, (std::vector<int64_t>{2, 3})) << "row-major";
  EXPECT_EQ(b->offset % 64, 0U);
  const auto bytes = file.bytes(*b);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(bytes.data()), 4), B::bytes(1.0F));
  EXPECT_EQ(file.find("c"), nullptr);
}

TEST_F(GgufReader, NamesTheKeyThatIsWrong) {
  GgufBuilder gguf;
  gguf.u32("n", 7).string("bad", "\xff").strings("texts", {"a", "\xff"}).i32s("list", {3, 9});
  gguf.raw("large", 10, B::bytes(UINT64_MAX)).f32s("floats", {1.0F});
  const GgufFile file = open(gguf);
  const auto error = [&](const std::function<void()>& action) {
    return message_of(action).substr(path().string().size());
  };
  EXPECT_EQ(error([&] { file.integer("absent", 0, 1); }),
            ": absent: found nothing, expected this metadata key");
  EXPECT_EQ(error([&] { file.integer("n", 0, 6); }),
            ": n: found 7, expected an integer from 0 to 6");
  EXPECT_EQ(error([&] { file.integer("large", 0, 6); }),
            ": large: found 18446744073709551615, expected an integer from 0 to 6");
  EXPECT_EQ(error([&] { file.number("bad"); }), ": bad: found \"\\xff\", expected a number");
  EXPECT_EQ(error([&] { file.boolean("n"); }), ": n: found 7, expected true or false");
  EXPECT_EQ(error([&] { file.string("bad"); }), ": bad: found \"\\xff\", expected text in UTF-8");
  EXPECT_EQ(error([&] { file.string("list"); }),
            ": list: found an array of 2 values, expected text in UTF-8");
  EXPECT_EQ(error([&] { file.strings("n"); }), ": n: found 7, expected an array");
  EXPECT_EQ(error([&] { file.strings("texts"); }),
            ": texts[1]: found \"\\xff\", expected text in UTF-8");
  EXPECT_EQ(error([&] { file.integers("list", 0, 5); }),
            ": list[1]: found 9, expected an integer from 0 to 5");
  EXPECT_EQ(error([&] { file.numbers("texts"); }), ": texts[0]: found \"a\", expected a number");
}

TEST_F(GgufReader, RefusesAForeignHeader) {
  GgufBuilder gguf;
  gguf.magic = 0x12345678;
  EXPECT_EQ(error_of(gguf), "magic: found 0x12345678, expected \"GGUF\" (not a GGUF file)");
  gguf.magic = GgufBuilder().magic;
  gguf.version = 1;
  EXPECT_EQ(error_of(gguf), "version: found 1, expected 2 or 3");
  gguf.version = 0x03000000;
  EXPECT_EQ(error_of(gguf), "version: found 50331648, expected 2 or 3 (a big-endian file?)");
  gguf.version = 2;
  EXPECT_EQ(error_of(gguf), "no error");
}

TEST_F(GgufReader, RefusesCountsThatCannotBe) {
  GgufBuilder gguf;
  gguf.extra_pairs = 3;
  EXPECT_EQ(error_of(gguf),
            "metadata count: found 3, expected what fits in the 8 bytes that are left "
            "(truncated or corrupt?)");
  gguf.extra_pairs = 0;
  gguf.extra_tensors = int64_t{1} << 62;
  EXPECT_EQ(error_of(gguf),
            "tensor count: found 4611686018427387904, expected what fits in the 8 bytes that are "
            "left (truncated or corrupt?)");
}

TEST_F(GgufReader, RefusesMetadataThatCannotBe) {
  const auto with = [this](const std::function<void(GgufBuilder&)>& add) {
    GgufBuilder gguf;
    add(gguf);
    return error_of(gguf);
  };
  EXPECT_EQ(with([](auto& g) { g.u32("a", 1).u32("a", 2); }),
            "a: found a duplicate key, expected each key once");
  EXPECT_EQ(with([](auto& g) { g.raw("a", 13, "123456789"); }),
            "a: found value type 13, expected a type from 0 to 12");
  EXPECT_EQ(with([](auto& g) { g.raw("a", 7, B::bytes(uint8_t{2})); }),
            "a: found the byte 2, expected a boolean, 0 or 1");
  EXPECT_EQ(with([](auto& g) { g.array("a", 99, 1, "1"); }),
            "a: found value type 99, expected a type from 0 to 12");
  EXPECT_EQ(with([](auto& g) { g.u32(std::string(70000, 'k'), 1); }),
            "metadata key 0: found text of 70000 bytes, expected at most 65535");
  EXPECT_EQ(with([](auto& g) { g.raw("a", 8, B::bytes(UINT64_MAX)); }).substr(0, 43),
            "a: found 18446744073709551615 bytes at 45, ");
  EXPECT_EQ(with([](auto& g) { g.array("a", 4, UINT64_MAX / 2, ""); }).substr(0, 50),
            "a: found an array of 9223372036854775807 values, e");
  EXPECT_EQ(
      with([](auto& g) { g.array("a", 0, (1U << 24U) + 1, std::string((1U << 24U) + 1, '\0')); }),
      "a: found 16777217 metadata values, expected at most 16777216");
  EXPECT_EQ(with([](auto& g) {
              std::string nested = B::bytes(uint32_t{4}) + B::bytes(uint64_t{0});
              for (int depth = 0; depth < 4; ++depth) {
                nested.insert(0, B::bytes(uint32_t{9}) + B::bytes(uint64_t{1}));
              }
              g.raw("a", 9, nested);
            }),
            "a: found arrays nested more than 4 deep, expected fewer levels");
  EXPECT_EQ(with([](auto& g) { g.u32("general.alignment", 48); }),
            "general.alignment: found 48, expected a power of two");
  EXPECT_EQ(with([](auto& g) { g.u32("general.alignment", 0); }),
            "general.alignment: found 0, expected an integer from 1 to 1048576");
  EXPECT_EQ(with([](auto& g) { g.u32("split.count", 3); }),
            "split.count: found one part of a split model, expected a whole one "
            "(llama-gguf-split --merge joins the parts)");
}

TEST_F(GgufReader, RefusesTensorsThatCannotBe) {
  const auto with = [this](const std::function<void(GgufBuilder&)>& add) {
    GgufBuilder gguf;
    gguf.tensor("first", {8}, std::vector<float>(8));
    add(gguf);
    return error_of(gguf);
  };
  EXPECT_EQ(with([](auto& g) { g.tensor("first", {1}, {1}); }),
            "first: found a duplicate tensor, expected each tensor once");
  EXPECT_EQ(with([](auto& g) { g.entry("t", {1, 1, 1, 1, 1}, 0, 32); }),
            "t: found 5 dimensions, expected at most 4");
  EXPECT_EQ(with([](auto& g) { g.entry("t", {0}, 0, 32); }),
            "t: found a dimension of 0, expected a shape of 1 to 2^48 elements");
  EXPECT_EQ(with([](auto& g) { g.entry("t", {1ULL << 40U, 1ULL << 40U}, 0, 32); }),
            "t: found a dimension of 1099511627776, expected a shape of 1 to 2^48 elements");
  EXPECT_EQ(with([](auto& g) { g.entry("t", {1ULL << 63U}, 0, 32); }),
            "t: found a dimension of 9223372036854775808, expected a shape of 1 to 2^48 elements");
  EXPECT_EQ(with([](auto& g) { g.entry("t", {256}, 16, 32); }),
            "t: found IQ2_XXS, expected one of F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, "
            "Q5_K, Q6_K");
  EXPECT_EQ(with([](auto& g) { g.entry("t", {256}, 12345, 32); }).substr(0, 20),
            "t: found type 12345,");
  EXPECT_EQ(with([](auto& g) { g.entry("t", {48, 2}, 2, 32); }),
            "t: found rows of 48 elements, expected a multiple of 32, the block of Q4_0");
  EXPECT_EQ(with([](auto& g) { g.entry("t", {1}, 0, 33); }),
            "t: found offset 33, expected a multiple of the alignment, 32");
  EXPECT_EQ(with([](auto& g) { g.entry("t", {1}, 0, 32); }),
            "t: found 4 bytes at data offset 32, expected inside the 32 bytes of data "
            "(truncated or corrupt?)");
  EXPECT_EQ(with([](auto& g) { g.entry("t", {1}, 0, UINT64_MAX - 31); }),
            "t: found 4 bytes at data offset 18446744073709551584, expected inside the 32 bytes of "
            "data (truncated or corrupt?)");
  EXPECT_EQ(with([](auto& g) { g.entry("t", {1}, 0, 0); }),
            "t: found bytes that first has too, expected tensors that do not overlap");
  EXPECT_EQ(with([](auto& g) { g.entry(std::string(2000, 'n'), {1}, 0, 0); }),
            "tensor 1: found text of 2000 bytes, expected at most 1024");
}

}  // namespace
}  // namespace slayer
