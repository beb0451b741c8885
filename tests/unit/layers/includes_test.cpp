#include <filesystem>
#include <gtest/gtest.h>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "slayer/core/file.h"

namespace slayer {
namespace {

// The module table of docs/map.md: what each folder may include beside its own files.
const std::map<std::string, std::set<std::string>> kMayUse = {
    {"core", {}},
    {"checkpoint", {"core"}},
    {"tokenizer", {"core"}},
    {"surgery", {"core", "checkpoint"}},
    {"model", {"core", "checkpoint", "surgery"}},
    {"data", {"core", "tokenizer"}},
    {"eval", {"core", "tokenizer", "model", "data"}},
    {"train", {"core", "checkpoint", "surgery", "tokenizer", "model", "data", "eval"}},
    {"probe", {"core", "checkpoint", "surgery", "tokenizer", "model", "data", "eval"}},
    {"report", {"core"}},
    {"recipe",
     {"core",
      "checkpoint",
      "tokenizer",
      "surgery",
      "model",
      "data",
      "eval",
      "train",
      "probe",
      "report"}},
};

const std::set<std::string> kTorchFree = {
    "core", "checkpoint", "tokenizer", "surgery", "data", "report"};

/// Lines of a module's sources that break the table, as "file: line".
std::vector<std::string> violations(const std::filesystem::path& source,
                                    const std::string& module) {
  std::vector<std::string> found;
  std::istringstream lines(read_text_file(source));
  const std::regex include("#include \"([a-z]+)/([a-z]+)[/.].*|#include <(ATen|c10|torch)/.*");
  for (std::string line; std::getline(lines, line);) {
    std::smatch match;
    if (!std::regex_match(line, match, include)) {
      continue;
    }
    const bool is_torch = match[3].matched;
    const bool is_allowed =
        is_torch ? !kTorchFree.contains(module)
                 : match[1] == "slayer" &&
                       (match[2] == module || kMayUse.at(module).contains(match[2].str()));
    if (!is_allowed || line.find("<torch/torch.h>") != std::string::npos) {
      found.push_back(source.string() + ": " + line);
    }
  }
  return found;
}

/// The targets share one include root, so the linker alone cannot stop a wrong #include.
TEST(Layers, IncludeOnlyWhatTheModuleTableAllows) {
  size_t seen = 0;
  for (const auto& folder : std::filesystem::directory_iterator(SLAYER_SOURCE_DIR "/slayer")) {
    if (!folder.is_directory()) {
      continue;
    }
    const std::string module = folder.path().filename();
    ASSERT_TRUE(kMayUse.contains(module)) << module << " is not in the table";
    for (const auto& file : std::filesystem::recursive_directory_iterator(folder)) {
      if (file.path().extension() == ".h" || file.path().extension() == ".cpp") {
        EXPECT_EQ(violations(file.path(), module), std::vector<std::string>());
        ++seen;
      }
    }
  }
  EXPECT_GT(seen, 20U);
}

}  // namespace
}  // namespace slayer
