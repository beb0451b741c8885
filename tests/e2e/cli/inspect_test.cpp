#include <filesystem>
#include <gtest/gtest.h>
#include <string>

#include "slayer/core/file.h"
#include "slayer/core/json.h"

#include "tests/support/run_slayer.h"
#include "tests/support/scratch_folder.h"

namespace slayer {
namespace {

const std::string kQwen = SLAYER_FIXTURES "/models/qwen2_window";

TEST(Inspect, ShowsACheckpoint) {
  const Outcome outcome = run_slayer({"inspect", kQwen});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_NE(outcome.out.find("architecture   Qwen2ForCausalLM\n"
                             "layers         4   ooww   w attention window\n"),
            std::string::npos)
      << outcome.out;
  EXPECT_TRUE(outcome.out.ends_with("problems       none\n")) << outcome.out;
  EXPECT_EQ(outcome.err, "");
}

TEST(Inspect, GivesJson) {
  const Json json = parse_json(run_slayer({"inspect", kQwen, "--json"}).out, "stdout");
  EXPECT_EQ(json["layers"], 4);
  EXPECT_EQ(json["dtypes"]["F32"]["tensors"], 51);
  EXPECT_TRUE(json["problems"].empty());
}

TEST(Inspect, SaysWhereTextsCannotBeRead) {
  const ScratchFolder folder;
  std::filesystem::copy(kQwen, folder / "model");
  write_text_file(folder / "model/tokenizer.json", "{\"model\": {\"type\": \"Unigram\"}}");
  const Outcome outcome = run_slayer({"inspect", (folder / "model").string()});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("slayer cannot use it: "), std::string::npos) << outcome.out;
}

TEST(Inspect, RefusesWhatIsNoCheckpointInOneLine) {
  const Outcome outcome = run_slayer({"inspect", "/nonexistent"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(outcome.err,
            "slayer: /nonexistent: found nothing, expected a Hugging Face checkpoint folder or a "
            "GGUF file\n");
}

}  // namespace
}  // namespace slayer
