#include "slayer/report/run_data.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "slayer/core/file.h"
#include "slayer/report/markdown.h"
#include "slayer/report/write.h"

#include "tests/support/error_message.h"
#include "tests/support/run_summary.h"
#include "tests/support/scratch_folder.h"

namespace slayer {
namespace {

class RunFolder : public testing::Test {
 protected:
  void write(const std::string& name, const Json& json) { write_json_file(run_ / name, json); }

  ScratchFolder folder_;
  std::filesystem::path run_ = folder_ / "my run";
};

TEST_F(RunFolder, IsShownAsFarAsItWent) {
  write("plan.json", {{"layers", Json::array()}});
  const Json data = read_run(run_);
  EXPECT_EQ(data["title"], "my run");
  EXPECT_TRUE(data.contains("plan"));
  EXPECT_FALSE(data.contains("answer"));
  EXPECT_FALSE(data.contains("training"));
  EXPECT_EQ(write_report(run_), run_ / "report.html");
  EXPECT_FALSE(std::filesystem::exists(run_ / "report.md"));
}

TEST_F(RunFolder, OfAnotherKindIsRefused) {
  std::filesystem::create_directories(run_);
  EXPECT_EQ(
      message_of([&] { read_run(run_); }),
      run_.string() + ": found no file of a run, expected the folder that slayer run --out made");
}

TEST_F(RunFolder, GivesTheAnswerOfAFinishedRun) {
  write("summary.json", run_summary());
  EXPECT_EQ(read_run(run_)["answer"].size(), 3U);
  write_report(run_);
  EXPECT_TRUE(read_text_file(run_ / "report.md").starts_with("# my run\n\n- Gained: "));
}

TEST_F(RunFolder, ThinsLongTrainingsToMeans) {
  std::string lines;
  for (int step = 1; step <= 1000; ++step) {
    lines += fmt::format("{{\"step\": {}, \"loss\": {}", step, step % 2 == 0 ? 2.0 : 4.0);
    lines += step == 2 ? ", \"general_loss\": 5.0}\n" : "}\n";
  }
  write_text_file(run_ / "train/metrics.jsonl", lines);
  write("plan.json", Json::object());
  const Json training = read_run(run_)["training"];
  EXPECT_EQ(training["loss"].size(), 500U);
  EXPECT_EQ(training["loss"][7], 3.0);
  EXPECT_EQ(training["step"][0], 1.5);
  EXPECT_EQ(training["general_loss"][0], 5.0);
  EXPECT_TRUE(training["general_loss"][1].is_null());
}

TEST_F(RunFolder, ShowsATrainingWhoseLastLineWasCut) {
  write_text_file(run_ / "train/metrics.jsonl", "{\"step\": 1, \"loss\": 2.0}\n{\"step\": 2, \"lo");
  write("plan.json", Json::object());
  EXPECT_EQ(read_run(run_)["training"]["loss"], Json({2.0}));
}

TEST_F(RunFolder, ShowsConversationsWhereTheRunHadSome) {
  write_text_file(run_ / "sft/metrics.jsonl", "{\"step\": 1, \"loss\": 2.0}\n");
  Json summary = run_summary();
  write("summary.json", summary);
  EXPECT_FALSE(read_run(run_).contains("sft_training")) << "a former recipe's";
  summary["sft"] = {{"method", "plan"}, {"trains", "layers 1"}};
  write("summary.json", summary);
  EXPECT_EQ(read_run(run_)["sft_training"]["loss"][0], 2.0);
}

TEST_F(RunFolder, MayHaveFilesElsewhere) {
  Json summary = run_summary();
  summary["files"] = {{"plan", "../shared/plan.json"}};
  write("summary.json", summary);
  write("../shared/plan.json", {{"strategy", "shared"}});
  EXPECT_EQ(read_run(run_)["plan"]["strategy"], "shared");
}

TEST_F(RunFolder, GivesWayToAProbeAlone) {
  write("probe.json", {{"format", 1}, {"base", {{"loss", 2.0}}}});
  EXPECT_EQ(write_report(run_ / "probe.json"), run_ / "probe.html");
  EXPECT_NE(read_text_file(run_ / "probe.html").find("\"probe\":{"), std::string::npos);
  write("probe.json", {{"format", 1}});
  EXPECT_EQ(message_of([&] { read_probe(run_ / "probe.json"); }),
            (run_ / "probe.json").string() + ": base: found nothing, expected this key");
}

TEST_F(RunFolder, ShowsAProbeOfTwoKindsWithThePlanMadeOfIt) {
  write("probe.json", {{"format", 1}, {"model", "ab"}, {"domain", {{"base", {{"loss", 2.0}}}}}});
  EXPECT_FALSE(read_probe(run_ / "probe.json").contains("plan"));
  write("plan.json", {{"strategy", "auto"}, {"source", {{"hash", "another"}}}});
  EXPECT_FALSE(read_probe(run_ / "probe.json").contains("plan"));
  write("plan.json", {{"strategy", "auto"}, {"source", {{"hash", "ab"}}}});
  EXPECT_EQ(read_probe(run_ / "probe.json")["plan"]["strategy"], "auto");
}

TEST(Markdown, ShowsTextAsItIs) {
  EXPECT_EQ(markdown_text("<script> *a* & [b](c)\n# d"),
            "&lt;script\\> \\*a\\* &amp; \\[b\\]\\(c\\) \\# d");
}

TEST(Markdown, HoldsAnswerTablesLayersTimeAndSamples) {
  Json data = {{"title", "run"}, {"summary", run_summary()}, {"answer", {"One.", "Two."}}};
  data["compare"] = {{"domain", Json::array()},
                     {"general",
                      {{{"task", "arc_easy"},
                        {"metric", "acc"},
                        {"base", 0.5},
                        {"new", 0.25},
                        {"difference", -0.25},
                        {"low", -0.5},
                        {"high", 0.0},
                        {"gained", Json::array()},
                        {"lost", {3}}}}}};
  const Json flip = {{"task", "arc_easy"},
                     {"doc_id", 3},
                     {"became", "wrong"},
                     {"question", "What floats?"},
                     {"expected", "wood"},
                     {"base", "wood"},
                     {"new", "iron"}};
  data["compare"]["flips"] = {flip, flip, flip, flip};
  data["summary"]["samples"][0]["new"] = "<b>";
  const std::string text = report_markdown(data, "summary.json");
  for (const char* const part :
       {"# run\n\n- One.\n- Two.\n",
        "\n## Held-out text\n\n| held-out text |",
        "| arc\\_easy | general |    acc | 0.5000 | 0.2500 |    -0.2500 | -0.5000 to +0.0000 | +0 "
        "-1 |\n",
        "\n## Layers\n\n    ==+==\n",
        "\n## Time\n\n1 min 1 s (118 CPU-seconds): plan 1.0 s, train 1 min 0 s\n",
        "\n## Items that changed sides\n\narc\\_easy became wrong, item 3: What "
        "floats?\n\nright:\n\n"
        "> wood  \n\nbase:\n\n> wood  \n\nnew:\n\n> iron  \n",
        "base:\n\n> a  \n> b  \n\nnew:\n\n> &lt;b\\>  \n"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\nin:\n" << text;
  }
}

}  // namespace
}  // namespace slayer
