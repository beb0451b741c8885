#include <cstdlib>
#include <filesystem>
#include <gtest/gtest.h>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "slayer/core/file.h"

#include "tests/support/run_slayer.h"

namespace slayer {
namespace {

/// First words of the indented lines that follow `heading` in a help text.
std::vector<std::string> listed_under(const std::string& heading, const std::string& help) {
  std::vector<std::string> words;
  std::istringstream lines(help);
  bool is_under = false;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(' ')) {
      is_under = line == heading;
    } else if (is_under && line.size() > 2 && line[2] != ' ') {
      words.push_back(line.substr(2, line.find(' ', 2) - 2));
    }
  }
  return words;
}

/// Every command with its long options, as --help shows them.
std::string command_line_surface() {
  std::string surface;
  for (const std::string& command : listed_under("Subcommands:", run_slayer({"--help"}).out)) {
    surface += command + "\n";
    const std::string help = run_slayer({command, "--help"}).out;
    const std::regex option("^ +(-[a-z],)?(--[a-z0-9-]+).*");
    std::istringstream lines(help);
    for (std::string line; std::getline(lines, line);) {
      if (std::smatch match; std::regex_match(line, match, option)) {
        surface += "  " + match[2].str() + "\n";
      }
    }
  }
  return surface;
}

/// Commands and options are what users' scripts stand on: a change is made knowingly, by
/// `SLAYER_UPDATE=1 build/release/bin/e2e_cli_test`, and seen in the diff.
TEST(CommandLine, HasTheFrozenCommandsAndOptions) {
  const std::filesystem::path frozen = SLAYER_SOURCE_DIR "/tests/e2e/flags.txt";
  const std::string surface = command_line_surface();
  if (std::getenv("SLAYER_UPDATE") != nullptr) {
    write_text_file(frozen, surface);
  }
  EXPECT_EQ(surface, read_text_file(frozen));
}

TEST(CommandLine, ShowsAnExampleInTheHelpOfEveryCommand) {
  for (const std::string& command : listed_under("Subcommands:", run_slayer({"--help"}).out)) {
    const Outcome help = run_slayer({command, "--help"});
    EXPECT_EQ(help.exit_code, 0);
    EXPECT_TRUE(std::regex_search(help.out, std::regex("(  |Example: )slayer " + command + " ")))
        << help.out;
  }
}

TEST(CommandLine, NamesTheNearestCommand) {
  const Outcome outcome = run_slayer({"inspct", "model"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_EQ(outcome.err,
            "slayer: unknown command inspct; did you mean inspect? (see slayer --help)\n");
}

TEST(CommandLine, NamesTheNearestOption) {
  const Outcome outcome = run_slayer({"inspect", "model", "--jsno"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_EQ(outcome.err,
            "slayer inspect: unknown option --jsno; did you mean --json? "
            "(see slayer inspect --help)\n");
}

TEST(CommandLine, SaysWhatIsMissing) {
  EXPECT_EQ(run_slayer({}).exit_code, 2);
  EXPECT_EQ(run_slayer({}).err, "slayer: A subcommand is required (see slayer --help)\n");
}

TEST(CommandLine, ExitsWithOneWhereTheInputIsWrong) {
  const Outcome outcome = run_slayer({"import", "/nowhere/model.gguf", "--out", "/nowhere/base"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_TRUE(outcome.err.starts_with("slayer: /nowhere/model.gguf: ")) << outcome.err;
}

TEST(CommandLine, SaysThatStandardOutputIsFull) {
  const Outcome outcome = run_shell(quoted(SLAYER_BINARY) + " --version > /dev/full");
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(outcome.err, "slayer: standard output: No space left on device\n");
}

TEST(CommandLine, EndsQuietlyWhenItsReaderIsGone) {
  const Outcome outcome =
      run_shell("{ " + quoted(SLAYER_BINARY) + " --help; echo $? >&2; } | true");
  EXPECT_EQ(outcome.err, "141\n");
}

}  // namespace
}  // namespace slayer
