#include "slayer/train/event_file.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/support/error_message.h"
#include "tests/support/text_file.h"

namespace slayer {
namespace {

namespace fs = std::filesystem;

std::string hex_of(const std::string& bytes) {
  std::string hex;
  for (const char byte : bytes) {
    hex += fmt::format("{:02x}", static_cast<uint8_t>(byte));
  }
  return hex;
}

/// A file of these steps.
void write_events(const fs::path& path, int64_t first, int64_t last) {
  EventFile file(path, first - 1);
  for (int64_t step = first; step <= last; ++step) {
    file.append({.step = step, .loss = 2.0}, /*wall_time=*/1.0);
  }
}

TEST(EventFile, HasTheBytesThatTensorBoardWrites) {
  const ScratchFolder folder;
  EventFile(folder / "events", 0)
      .append({.step = 300,
               .loss = 2.5,
               .lr = 0.25,
               .grad_norm = 0.5,
               .tokens_per_second = 50.0,
               .watched = {.domain = 0.0, .general = 0.0},
               .forgetting = 0.75},
              /*wall_time=*/1.5);
  // RecordWriter and event_pb2 of tensorboard 2.21.0 for the same scalars.
  EXPECT_EQ(hex_of(read_text_file(folder / "events")),
            "1800000000000000a37f4b2209000000000000f83f1a0d627261696e2e457665"
            "6e743a322a28646ccb000000000000008461617b09000000000000f83f10ac02"
            "2abc010a110a0a747261696e2f6c6f737315000020400a0f0a08747261696e2f"
            "6c72150000803e0a160a0f747261696e2f677261645f6e6f726d150000003f0a"
            "1e0a17747261696e2f746f6b656e735f7065725f7365636f6e6415000048420a"
            "200a19776174636865642f646f6d61696e5f706572706c657869747915000080"
            "3f0a210a1a776174636865642f67656e6572616c5f706572706c657869747915"
            "0000803f0a190a12776174636865642f666f7267657474696e67150000403f32"
            "edbbc5");
}

TEST(EventFile, GoesOnAsIfItHadNeverStopped) {
  const ScratchFolder folder;
  write_events(folder / "whole", 1, 200);
  const std::string whole = read_text_file(folder / "whole");
  write_events(folder / "events", 1, 150);
  write_events(folder / "events", 131, 200);  // 131 to 150 were lost with the last checkpoint
  EXPECT_EQ(read_text_file(folder / "events"), whole);
}

TEST(EventFile, HoldsTheLookBeforeTheFirstStepOnce) {
  const ScratchFolder folder;
  const auto look = [&](const char* name) {
    EventFile(folder / name, 0).append({.watched = {.domain = 0.0}}, /*wall_time=*/1.0);
    return read_text_file(folder / name);
  };
  const std::string once = look("events");
  EXPECT_EQ(once.find("train/"), std::string::npos);
  EXPECT_NE(once.find("watched/domain_perplexity"), std::string::npos);
  EXPECT_EQ(look("events"), once) << "begun, killed, begun again";
}

TEST(EventFile, ForgetsARecordThatWasCutOffOrDamaged) {
  const ScratchFolder folder;
  const fs::path path = folder / "events";
  write_events(path, 1, 3);
  const std::string whole = read_text_file(path);
  for (size_t cut = 1; cut < whole.size(); ++cut) {
    write_text_file(path, whole.substr(0, whole.size() - cut));
    EventFile(path, 3);
    EXPECT_TRUE(whole.starts_with(read_text_file(path)));
    EXPECT_LT(fs::file_size(path), whole.size());
  }
  std::string damaged = whole;
  damaged.back() = damaged.back() == '0' ? '1' : '0';
  write_text_file(path, damaged);
  write_events(path, 3, 3);
  EXPECT_EQ(read_text_file(path), whole);
}

TEST(EventFile, BeginsAnewWhereNothingIsWhole) {
  const ScratchFolder folder;
  write_events(folder / "new", 1, 1);
  const fs::path path = file_in(folder, "events", "no records at all, but long enough to be one");
  write_events(path, 1, 1);
  EXPECT_EQ(read_text_file(path), read_text_file(folder / "new"));
}

}  // namespace
}  // namespace slayer
