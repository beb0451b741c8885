#include <gtest/gtest.h>

#include "slayer/core/file.h"
#include "slayer/core/json.h"

#include "tests/support/run_slayer.h"

namespace slayer {
namespace {

const std::string kProbedModel = SLAYER_SOURCE_DIR "/tests/fixtures/models/smollm";

/// A folder with a text of some documents.
class ProbeCommand : public testing::Test {
 protected:
  ProbeCommand() {
    std::string lines;
    for (int document = 0; document < 6; ++document) {
      Json line;
      line["text"] = fmt::format("Document {} tells the {} of the model and the layers {}.",
                                 document,
                                 std::string(static_cast<size_t>(5 * document + 3), 'x'),
                                 document * document);
      lines += compact_text(line) + "\n";
    }
    write_text_file(text_, lines);
  }

  Outcome probe(std::vector<std::string> more) const {
    std::vector<std::string> arguments{"probe", kProbedModel, "--seq-len", "16", "--threads", "1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_slayer(arguments);
  }

  ScratchFolder folder_;
  std::string text_ = folder_ / "text.jsonl";
  std::string out_ = folder_ / "probe.json";
};

TEST_F(ProbeCommand, WritesItsFileAndDrawsAChart) {
  const Outcome outcome = probe({"--method",
                                 "remove,expand,angular,gradient,lens",
                                 "--domain",
                                 text_,
                                 "--general",
                                 text_,
                                 "--prune",
                                 "1",
                                 "--out",
                                 out_});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  for (const char* const part : {"domain: each layer removed",
                                 "general: each layer repeated (copy, 1 more)",
                                 "rank correlation with depth",
                                 "cheapest layers to remove together",
                                 "block influence"}) {
    EXPECT_NE(outcome.out.find(part), std::string::npos) << part << "\n" << outcome.out;
  }
  const Json json = read_json_file(out_);
  EXPECT_EQ(json["general"]["remove"]["layers"].size(), 4U);
  EXPECT_FALSE(std::filesystem::exists(out_ + ".journal"));
  EXPECT_EQ(
      probe({"--text", text_, "--out", out_}).err,
      fmt::format("slayer: {}: found an existing path, expected a new one (--force replaces it)\n",
                  out_));
}

TEST_F(ProbeCommand, LeadsToAPlan) {
  ASSERT_EQ(probe({"--text", text_, "--prune", "1", "--out", out_, "--quiet"}).exit_code, 0);
  const std::vector<std::string> plan{"plan", kProbedModel, "--strategy", "auto", "--probe", out_};
  auto sized = plan;
  sized.insert(sized.end(), {"--new", "2", "--prune", "1"});
  const Outcome outcome = run_slayer(sized);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("of the sets of 1 that were tried the cheapest on general"),
            std::string::npos);
  EXPECT_NE(outcome.out.find("strategy auto: 4 layers become 5, 2 of them new"), std::string::npos);
  auto json = sized;
  json.push_back("--json");
  EXPECT_EQ(parse_json(run_slayer(json).out, "out")["auto"]["reasons"].size(), 3U);
  EXPECT_EQ(run_slayer(plan).exit_code, 2);
  EXPECT_EQ(run_slayer({"plan", kProbedModel, "--strategy", "auto", "--new", "1"}).exit_code, 2);
  const Outcome other = run_slayer({"plan",
                                    SLAYER_SOURCE_DIR "/tests/fixtures/models/llama3",
                                    "--strategy",
                                    "auto",
                                    "--probe",
                                    out_,
                                    "--new",
                                    "1"});
  EXPECT_EQ(other.exit_code, 1);
  EXPECT_NE(other.err.find("probe.json: model: found hash "), std::string::npos) << other.err;
}

TEST_F(ProbeCommand, RefusesInOneLine) {
  EXPECT_EQ(probe({}).exit_code, 2);
  EXPECT_EQ(probe({"--text", text_, "--general", text_}).exit_code, 2);
  const Outcome outcome = run_slayer({"probe", kProbedModel, "--text", text_, "--seq-len", "1000"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(std::ranges::count(outcome.err, '\n'), 1);
  EXPECT_NE(outcome.err.find("expected at least one sequence of 1000"), std::string::npos)
      << outcome.err;
}

}  // namespace
}  // namespace slayer
