#include <cstdlib>
#include <filesystem>
#include <gtest/gtest.h>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "slayer/core/file.h"

#include "tests/support/run_slayer.h"
#include "tests/support/scratch_folder.h"

namespace slayer {
namespace {

/// The content of a document's code blocks of one language ("" for those that name none).
std::vector<std::string> code_blocks(const std::filesystem::path& document,
                                     const std::string& language) {
  std::vector<std::string> blocks;
  std::istringstream lines(read_text_file(document));
  bool is_inside = false;
  bool is_wanted = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("```")) {
      is_inside = !is_inside;
      is_wanted = is_inside && line.substr(3) == language;
      if (is_wanted) {
        blocks.emplace_back();
      }
    } else if (is_wanted) {
      blocks.back() += line + "\n";
    }
  }
  return blocks;
}

/// The documents that show commands to users.
std::vector<std::filesystem::path> documents() {
  std::vector<std::filesystem::path> all{SLAYER_SOURCE_DIR "/README.md"};
  for (const auto& entry : std::filesystem::directory_iterator(SLAYER_SOURCE_DIR "/docs")) {
    if (entry.path().extension() == ".md") {
      all.push_back(entry.path());
    }
  }
  return all;
}

/// Options by command, from the frozen list.
std::map<std::string, std::set<std::string>> known_options() {
  std::map<std::string, std::set<std::string>> known;
  std::istringstream lines(read_text_file(SLAYER_SOURCE_DIR "/tests/e2e/flags.txt"));
  std::string command;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("  ")) {
      known[command].insert(line.substr(2));
    } else {
      command = line;
      known[command];
    }
  }
  return known;
}

TEST(Docs, HoldTheCommandLineAsItIs) {
  const std::filesystem::path file = SLAYER_SOURCE_DIR "/docs/commands.md";
  const std::string manual = run_slayer({"manual", "--markdown"}).out;
  if (std::getenv("SLAYER_UPDATE") != nullptr) {
    write_text_file(file, manual);
  }
  EXPECT_EQ(read_text_file(file), manual) << "SLAYER_UPDATE=1 writes docs/commands.md anew";
}

TEST(Docs, ShowOnlyCommandsAndOptionsThatExist) {
  const auto known = known_options();
  const std::regex command_line("(?:^|[ `(])slayer ([a-z]+)((?: [^`|#;)]*)?)");
  int count = 0;
  for (const std::filesystem::path& document : documents()) {
    std::istringstream lines(read_text_file(document));
    bool is_code = false;
    for (std::string line; std::getline(lines, line);) {
      is_code = is_code != line.starts_with("```");
      // In prose "slayer makes" is a sentence: only code counts.
      const bool is_command = is_code && line.starts_with("slayer ");
      const size_t begin = is_command ? 0 : line.find("`slayer ");
      if (begin == std::string::npos) {
        continue;
      }
      std::smatch match;
      const std::string code = line.substr(begin, line.find('`', begin + 1) - begin);
      if (!std::regex_search(code, match, command_line)) {
        continue;
      }
      SCOPED_TRACE(document.string() + ": " + line);
      ++count;
      ASSERT_TRUE(known.contains(match[1])) << match[1];
      const std::string rest = match[2];
      const std::regex option("--[a-z][a-z-]*");
      for (std::sregex_iterator word(rest.begin(), rest.end(), option), end; word != end; ++word) {
        EXPECT_TRUE(known.at(match[1]).contains(word->str())) << word->str();
      }
    }
  }
  EXPECT_GT(count, 20);
}

/// docs/getting-started.md, line by line, on a model of a few thousand parameters.
TEST(Docs, GetAReaderStarted) {
  const std::filesystem::path document = SLAYER_SOURCE_DIR "/docs/getting-started.md";
  const ScratchFolder folder;
  std::filesystem::copy(SLAYER_FIXTURES "/models/smollm", folder / "my-model");
  std::filesystem::remove(folder / "my-model/reference.safetensors");
  for (const char* const name : {"domain", "heldout", "general"}) {
    std::string text;
    for (int i = 0; i < 60; ++i) {
      text += fmt::format("{{\"text\": \"{} text number {}, which is long enough.\"}}\n", name, i);
    }
    write_text_file(folder / (std::string("texts/") + name + ".jsonl"), text);
  }
  const std::vector<std::string> recipes = code_blocks(document, "toml");
  ASSERT_EQ(recipes.size(), 1U);
  // The reader's model takes minutes; this one shall take seconds.
  write_text_file(folder / "my.toml",
                  std::regex_replace(recipes.front(), std::regex("steps = 200"), "steps = 3"));
  int count = 0;
  for (const std::string& block : code_blocks(document, "sh")) {
    std::istringstream lines(std::regex_replace(block, std::regex("--steps 20"), "--steps 2"));
    for (std::string line; std::getline(lines, line);) {
      ASSERT_TRUE(line.starts_with("slayer ")) << line;
      const Outcome outcome = run_shell(fmt::format(
          "cd {} && {}{}", quoted(folder.path()), quoted(SLAYER_BINARY), line.substr(6)));
      ASSERT_EQ(outcome.exit_code, 0) << line << "\n" << outcome.err;
      ++count;
    }
  }
  EXPECT_GE(count, 10);
}

TEST(Completion, IsValidForEachShellThatIsHere) {
  const ScratchFolder folder;
  for (const std::string shell : {"bash", "zsh", "fish"}) {
    const Outcome outcome = run_slayer({"completion", shell});
    ASSERT_EQ(outcome.exit_code, 0);
    for (const char* const word : {"inspect", "train", "seq-len"}) {
      EXPECT_NE(outcome.out.find(word), std::string::npos) << shell << ": " << word;
    }
    write_text_file(folder / shell, outcome.out);
    if (run_shell("command -v " + shell).exit_code == 0) {
      EXPECT_EQ(run_shell(fmt::format("{} -n {}", shell, quoted(folder / shell))).err, "");
    }
  }
}

/// zsh reads them when they are asked for: an unescaped bracket within a description, and no option
/// of that command is completed.
TEST(Completion, EscapesDescriptionsForZsh) {
  const std::regex option(R"(      '--[a-z0-9-]+\[([^\\\[\]]|\\.)*\](:value:_files)?' \\)");
  std::istringstream lines(run_slayer({"completion", "zsh"}).out);
  int count = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("      '--")) {
      EXPECT_TRUE(std::regex_match(line, option)) << line;
      ++count;
    }
  }
  EXPECT_GT(count, 100);
}

TEST(Completion, CompletesCommandsAndOptionsInBash) {
  const ScratchFolder folder;
  write_text_file(folder / "slayer.bash", run_slayer({"completion", "bash"}).out);
  const auto complete = [&](const std::string& line, int word) {
    return run_shell(fmt::format("bash -c 'source {}; COMP_WORDS=({}); COMP_CWORD={}; _slayer; "
                                 "echo ${{COMPREPLY[@]}}'",
                                 (folder / "slayer.bash").string(),
                                 line,
                                 word))
        .out;
  };
  EXPECT_EQ(complete("slayer ins", 1), "inspect\n");
  EXPECT_EQ(complete("slayer run --dr", 2), "--dry-run\n");
}

TEST(Manual, IsAManPage) {
  const Outcome outcome = run_slayer({"manual"});
  EXPECT_TRUE(outcome.out.starts_with(".TH SLAYER 1 "));
  EXPECT_NE(outcome.out.find("\n.SS slayer run RECIPE.toml \\-\\-out RUN [options]\n"),
            std::string::npos);
  if (run_shell("command -v groff").exit_code == 0) {
    const ScratchFolder folder;
    write_text_file(folder / "slayer.1", outcome.out);
    EXPECT_EQ(
        run_shell("groff -man -Tutf8 -ww " + quoted(folder / "slayer.1") + " > /dev/null").err, "");
  }
}

}  // namespace
}  // namespace slayer
