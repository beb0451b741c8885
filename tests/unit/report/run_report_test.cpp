#include "slayer/report/run_report.h"

#include <gtest/gtest.h>

#include "tests/support/error_message.h"
#include "tests/support/run_summary.h"

namespace slayer {
namespace {

TEST(RunReport, ShowsSizesCheckPerplexitiesTimeAndSamples) {
  EXPECT_EQ(report_run(run_summary(), "summary.json", TableStyle::kTerminal),
            "30 layers, 135 M parameters -> 37 layers, 159 M; 8 layers trained, 28.3 M "
            "(17.8 %)\n"
            "before training: logits bit-identical to the base's on 1934 tokens\n"
            "\n"
            "held-out text  documents  tokens                    base                     new"
            "                    change\n"
            "domain                58   23412  14.50 (13.25 to 15.75)  11.60 (10.50 to 12.75)"
            "  -20.0 % (-21.0 to -19.0)\n"
            "general               58   23412  14.50 (13.25 to 15.75)  14.60 (13.50 to 15.75)"
            "     +0.7 % (-0.2 to +1.5)\n"
            "\n"
            "Perplexity with 95 % bootstrap intervals over documents; the change is paired.\n"
            "\n"
            "1 min 1 s (118 CPU-seconds): plan 1.0 s, train 1 min 0 s\n"
            "\n"
            "Asked to go on with: Once\n"
            "  base: a b\n"
            "  new:  c\n");
}

TEST(RunReport, SaysWhatAPruneCost) {
  Json pruned = run_summary();
  pruned["verify"] = {{"must_be_identical", false},
                      {"is_identical", false},
                      {"tokens", 100},
                      {"base_loss", 1.5},
                      {"new_loss", 5.125}};
  EXPECT_NE(report_run(pruned, "summary.json", TableStyle::kTerminal)
                .find("before training: surgery cost +3.625 nats per token on 100 tokens\n"),
            std::string::npos);
}

TEST(RunReport, NamesWhatIsMissing) {
  Json broken = run_summary();
  broken["text"]["domain"].erase("change");
  EXPECT_EQ(message_of([&] { report_run(broken, "summary.json", TableStyle::kTerminal); }),
            "summary.json: text.domain.change: found nothing, expected this key");
}

TEST(Table, AlignsColumnsForATerminalAndForMarkdown) {
  const std::vector<std::vector<std::string>> rows{{"name", "value"}, {"a", "1"}};
  EXPECT_EQ(format_table(rows, TableStyle::kTerminal), "name  value\na         1\n");
  EXPECT_EQ(format_table(rows, TableStyle::kMarkdown),
            "| name | value |\n| ---- | ----: |\n| a    |     1 |\n");
}

}  // namespace
}  // namespace slayer
