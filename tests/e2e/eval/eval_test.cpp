#include <cmath>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <random>

#include "slayer/core/file.h"
#include "slayer/core/json.h"

#include "tests/support/killed_training.h"
#include "tests/support/run_slayer.h"
#include "tests/support/text_file.h"

namespace slayer {
namespace {

const std::string kModel = SLAYER_FIXTURES "/models/smollm";

constexpr std::string_view kChoiceTask = R"(
task = "words"
version = 1.0
source = "this test"
kind = "multiple_choice"
metrics = ["acc", "acc_norm"]
[data]
path = "o/n/c"
split = "test"
[few_shot]
split = "test"
pick = "first"
[prompt]
text = "{q}"
choices = "{c}"
gold = "{a}"
)";

constexpr std::string_view kProgramTask = R"(
task = "programs"
version = 1.0
source = "this test"
kind = "generate"
metrics = ["pass@k"]
[data]
path = "o/n/c"
split = "test"
[prompt]
text = "{q}"
[generation]
stops = ["\n"]
max_new_tokens = 4
[program]
before = "{p}\n'''"
after = "'''"
k = [1, 2]
)";

/// A folder with a task of the user's own and its data.
class Eval : public testing::Test {
 protected:
  std::vector<std::string> command(const std::string& out, const std::string& task = "task.toml") {
    return {"eval",
            kModel,
            "--tasks",
            (folder_ / task).string(),
            "--data-dir",
            folder_.path().string(),
            "--out",
            (folder_ / out).string(),
            "--threads",
            "1",
            "--quiet"};
  }

  std::vector<std::string> with(std::vector<std::string> words,
                                const std::vector<std::string>& more) {
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  std::string task(std::string_view text, const std::string& name = "task.toml") {
    return file_in(folder_, name, text);
  }

  std::string rows(const std::string& jsonl) { return file_in(folder_, "o/n/c/test.jsonl", jsonl); }

  /// Rows of very different lengths, some with the same texts; row `i` of the reversed ones is row
  /// `count - 1 - i`.
  static std::string many_rows(int count, bool is_reversed = false) {
    std::string text;
    for (int i = 0; i < count; ++i) {
      const int row = is_reversed ? count - 1 - i : i;
      text += fmt::format(R"({{"q": "{}", "c": ["{}", "a b c{}", "x"], "a": {}}})",
                          std::string(static_cast<size_t>(1 + row * 37 % 150),
                                      static_cast<char>('a' + row % 7)),
                          row,
                          row,
                          row % 3) +
              "\n";
    }
    return text;
  }

  std::vector<Json> samples(const std::string& out, const std::string& task = "words") {
    std::istringstream lines(
        read_text_file(folder_ / (out + "_samples") / ("samples_" + task + ".jsonl")));
    std::vector<Json> all;
    for (std::string line; std::getline(lines, line);) {
      all.push_back(parse_json(line, "test"));
    }
    return all;
  }

  ScratchFolder folder_;
};

TEST_F(Eval, NamesFileRowAndColumnOfBadRowsAndGoesOn) {
  task(kChoiceTask);
  const std::string file = rows(
      "{\"q\": \"one\", \"c\": [\"a\", \"b\"], \"a\": 0}\n"
      "{\"c\": [\"a\", \"b\"], \"a\": 0}\n"
      "{\"q\": [1], \"c\": [\"a\", \"b\"], \"a\": 0}\n"
      "{\"q\": \"four\", \"c\": \"a\", \"a\": 0}\n"
      "{\"q\": \"five\", \"c\": [\"a\", \"b\"], \"a\": 2}\n"
      "{\"q\": \"six\", \"c\": [\"\", \"b\"], \"a\": 1}\n"
      "{\"q\": \"" +
      std::string(5000, 'q') + "\", \"c\": [\"a\", \"b\"], \"a\": 1}\n");
  const Outcome outcome = run_slayer(command("out.json"));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const Json result = read_json_file(folder_ / "out.json")["results"]["words"];
  EXPECT_EQ(result["items"], 3);  // The continuation of the sixth is a space and nothing else.
  EXPECT_EQ(result["problems"], 4);
  EXPECT_EQ(result["cut"], 1);
  const auto lines = samples("out");
  EXPECT_EQ(lines[1]["problem"], file + ": row 1: column q: found nothing, expected a field q");
  EXPECT_EQ(lines[2]["problem"],
            file + ": row 2: column q: found array [1], expected a string or an integer");
  EXPECT_EQ(lines[3]["problem"],
            file + ": row 3: column c: found \"a\", expected a list of strings");
  EXPECT_EQ(lines[4]["problem"],
            file + ": row 4: column gold: found 2, expected the label of one of 2 choices");
  EXPECT_TRUE(lines[6]["cut"].get<std::string>().starts_with(file + ": row 6: column q: found "))
      << lines[6]["cut"];
  EXPECT_TRUE(lines[6]["cut"].get<std::string>().ends_with(
      " tokens, expected at most the model's 1024 (its front was left out)"))
      << lines[6]["cut"];
  EXPECT_NE(outcome.err.find("words: 4 of 7 items could not be used, listed in "),
            std::string::npos)
      << outcome.err;
}

TEST_F(Eval, DoesNotScoreADivergedModel) {
  std::filesystem::copy(kModel, folder_ / "model");
  const std::filesystem::path file = folder_ / "model/model.safetensors";
  std::string bytes = read_text_file(file);
  uint64_t header = 0;
  std::memcpy(&header, bytes.data(), sizeof(header));
  const Json norm = parse_json(bytes.substr(8, header), "header")["model.norm.weight"];
  ASSERT_EQ(norm["dtype"], "F32");
  const float not_a_number = std::nanf("");
  std::memcpy(bytes.data() + 8 + header + norm["data_offsets"][0].get<uint64_t>(),
              &not_a_number,
              sizeof(not_a_number));
  write_text_file(file, bytes);
  task(kChoiceTask);
  rows(many_rows(3));
  std::vector<std::string> words = command("out.json");
  words[1] = (folder_ / "model").string();
  const Outcome outcome = run_slayer(words);
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_NE(outcome.err.find(": found a loglikelihood of nan, expected a number"),
            std::string::npos)
      << outcome.err;
}

TEST_F(Eval, EndsWithOneLineForABadFile) {
  task(std::string(kChoiceTask) + "colour = 1\n");
  Outcome outcome = run_slayer(command("out.json"));
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_TRUE(outcome.err.starts_with("slayer: " + (folder_ / "task.toml").string() +
                                      ": prompt.colour: found an unknown key, expected one of "))
      << outcome.err;
  task(kChoiceTask);
  outcome = run_slayer(command("out.json"));
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_NE(outcome.err.find("data of task words: found nothing, expected this file or test.jsonl "
                             "(hf download --repo-type dataset o/n "),
            std::string::npos)
      << outcome.err;
  const std::string file = rows("");
  outcome = run_slayer(command("out.json"));
  EXPECT_EQ(outcome.err,
            "slayer: " + file + ": data of task words: found no rows, expected at least one\n");
  rows("{\"q\": 1}\n");
  outcome = run_slayer(command("out.json"));
  EXPECT_NE(outcome.err.find("found no row that can be used"), std::string::npos) << outcome.err;
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out.json"));
}

TEST_F(Eval, DoesNotDependOnBatchSizeOrOrder) {
  task(kChoiceTask);
  constexpr int kRows = 30;
  rows(many_rows(kRows));
  const auto shots = with(command("one.json"), {"--batch-size", "1"});
  ASSERT_EQ(run_slayer(shots).exit_code, 0);
  ASSERT_EQ(run_slayer(with(command("seven.json"), {"--batch-size", "7"})).exit_code, 0);
  rows(many_rows(kRows, /*is_reversed=*/true));
  ASSERT_EQ(run_slayer(command("reversed.json")).exit_code, 0);
  ASSERT_EQ(run_slayer(command("again.json")).exit_code, 0);
  const auto one = samples("one");
  const auto seven = samples("seven");
  const auto reversed = samples("reversed");
  for (size_t row = 0; row < kRows; ++row) {
    for (const auto& other : {seven[row], reversed[kRows - 1 - row]}) {
      EXPECT_EQ(one[row]["acc"], other["acc"]);
      EXPECT_EQ(one[row]["acc_norm"], other["acc_norm"]);
      for (size_t choice = 0; choice < 3; ++choice) {
        EXPECT_NEAR(one[row]["loglikelihoods"][choice].get<double>(),
                    other["loglikelihoods"][choice].get<double>(),
                    1e-4);
      }
    }
  }
  // The same shapes: the same bits.
  EXPECT_EQ(reversed, samples("again"));
}

TEST_F(Eval, KeepsTextsApartThatAreCalledTheSame) {
  const std::string first = file_in(folder_, "a/dev.txt", "some words to score\n");
  const std::string second = file_in(folder_, "b/dev.txt", "other words, and a few more\n");
  const std::string alone = file_in(folder_, "alone.txt", "words\n");
  const std::filesystem::path out = folder_ / "texts.json";
  const Outcome outcome = run_slayer(
      {"eval", kModel, "--text", first, second, alone, "--out", out.string(), "--quiet"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const Json results = parse_json(read_text_file(out), "texts.json")["results"];
  EXPECT_EQ(results.size(), 3);
  EXPECT_NE(results.at("text:" + first), results.at("text:" + second));
  EXPECT_TRUE(results.contains("text:alone.txt"));
}

TEST_F(Eval, GoesOnAfterBeingKilled) {
  task(kChoiceTask);
  rows(many_rows(300));
  const auto run = [&](const std::string& out) {
    return with(command(out), {"--batch-size", "2", "--num-fewshot", "2"});
  };
  const auto start = std::chrono::steady_clock::now();
  ASSERT_TRUE(run_until_killed(run("peaceful.json"), {}));
  const auto whole = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::steady_clock::now() - start);
  const uint32_t seed = std::random_device()();
  std::mt19937 random(seed);
  const std::filesystem::path partial = folder_ / "killed_samples/samples_words.jsonl.journal";
  std::uintmax_t largest = 0;
  for (int kill = 0; kill < 5; ++kill) {
    std::uniform_int_distribution<int64_t> moment(1, whole.count());
    run_until_killed(run("killed.json"), std::chrono::microseconds(moment(random)));
    if (std::filesystem::exists(folder_ / "killed.json")) {
      break;  // It was done before it was to be killed.
    }
    if (std::filesystem::exists(partial)) {
      largest = std::max(largest, std::filesystem::file_size(partial));
    }
  }
  if (!std::filesystem::exists(folder_ / "killed.json")) {
    ASSERT_TRUE(run_until_killed(run("killed.json"), {}));
  }
  EXPECT_FALSE(std::filesystem::exists(partial));
  const Json peaceful = read_json_file(folder_ / "peaceful.json");
  const Json killed = read_json_file(folder_ / "killed.json");
  // Batches differ after a kill, so likelihoods may in the last digits; what is decided does not.
  EXPECT_EQ(peaceful["results"], killed["results"]) << "seed " << seed;
  EXPECT_EQ(peaceful["configs"], killed["configs"]);
}

TEST_F(Eval, RunsProgramsOnlyWhenAllowed) {
  task(kProgramTask);
  rows(
      "{\"q\": \"a\", \"p\": \"1\"}\n{\"q\": \"bb\", \"p\": \"1/0\"}\n"
      "{\"q\": \"ccc\", \"p\": \"while True: pass\"}\n{\"q\": \"dd\", \"p\": \"2\"}\n");
  Outcome outcome = run_slayer(command("out.json"));
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_NE(outcome.err.find("task programs runs the programs that the model writes; "
                             "--allow-code-execution allows it (in a sandbox)"),
            std::string::npos)
      << outcome.err;
  outcome = run_slayer(with(command("out.json"),
                            {"--allow-code-execution", "--sandbox", "rlimits", "--samples", "2"}));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("programs run without: processes, network and files of its own"),
            std::string::npos)
      << outcome.err;
  const auto lines = samples("out", "programs");
  EXPECT_EQ(lines[0]["outcomes"], (Json{"passed", "passed"}));
  EXPECT_EQ(lines[1]["outcomes"][1], "failed: ZeroDivisionError: division by zero");
  EXPECT_EQ(lines[2]["outcomes"][0], "failed: timed out after 3 s");
  EXPECT_EQ(lines[3]["pass@2"], 1.0);
  EXPECT_EQ(lines[3]["generated"].size(), 2U);
  const Json result = read_json_file(folder_ / "out.json")["results"]["programs"];
  EXPECT_EQ(result["pass@1"], 0.5);
  EXPECT_EQ(result["pass@2"], 0.5);
}

TEST_F(Eval, ComparesTwoEvaluations) {
  task(kChoiceTask);
  rows(many_rows(20));
  ASSERT_EQ(run_slayer(command("base.json")).exit_code, 0);
  // The same evaluation with one item turned.
  Json turned = read_json_file(folder_ / "base.json");
  Json& acc = turned["items"]["words"]["acc"];
  acc[3] = 1.0 - acc[3].get<double>();
  turned["items"]["words"]["said"][3] = "something else";
  write_json_file(folder_ / "new.json", turned);
  const std::string markdown = folder_ / "table.md";
  const Outcome outcome =
      run_slayer({"compare", folder_ / "base.json", folder_ / "new.json", "--markdown", markdown});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  for (const std::string& text : {outcome.out, read_text_file(markdown)}) {
    EXPECT_NE(text.find("forgetting (mean drop over general tasks)"), std::string::npos) << text;
    EXPECT_NE(text.find("item 3: "), std::string::npos) << text;
    EXPECT_NE(text.find("new: something else"), std::string::npos) << text;
  }
  const Outcome json =
      run_slayer({"compare", folder_ / "base.json", folder_ / "new.json", "--json"});
  EXPECT_EQ(parse_json(json.out, "test")[0]["flips"].size(), 1U);
}

}  // namespace
}  // namespace slayer
