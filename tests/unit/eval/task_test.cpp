#include "slayer/eval/task.h"

#include <gtest/gtest.h>

#include "tests/support/error_message.h"
#include "tests/support/text_file.h"

namespace slayer {
namespace {

constexpr std::string_view kTask = R"(
task = "t"
version = 1.0
source = "here"
kind = "multiple_choice"
metrics = ["acc"]
[data]
path = "o/n/c"
split = "test"
[prompt]
text = "{q}"
choices = ["a", "b"]
gold = 0
)";

/// The message for kTask with one text replaced by another.
std::string failure(const std::string& what, const std::string& with) {
  std::string text(kTask);
  const size_t at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  text.replace(at, what.size(), with);
  const ScratchFolder folder;
  const std::string path = file_in(folder, "t.toml", text);
  TaskCatalogue catalogue;
  const std::string message = message_of([&] { add_task_file(path, catalogue); });
  EXPECT_TRUE(message.starts_with(path)) << message;
  return message.substr(std::min(path.size(), message.size()));
}

TEST(TaskFile, DefinesATask) {
  const ScratchFolder folder;
  TaskCatalogue catalogue;
  add_task_file(file_in(folder, "t.toml", kTask), catalogue);
  const Task& task = catalogue.tasks.at("t");
  EXPECT_EQ(task.kind, TaskKind::kMultipleChoice);
  EXPECT_EQ(task.data_path, "o/n/c");
  EXPECT_EQ(task.choices.size(), 2U);
  EXPECT_EQ(task.few_shot.count, 0);
  EXPECT_EQ(task.target_delimiter, " ");
}

TEST(TaskFile, NamesTheKeyThatIsWrong) {
  EXPECT_EQ(failure("split = \"test\"", "split = \"test\"\nfoo = 1"),
            ": data.foo: found an unknown key, expected one of path, split");
  EXPECT_EQ(failure("\"multiple_choice\"", "\"quiz\""),
            ": kind: found quiz, expected one of multiple_choice, loglikelihood, "
            "rolling_loglikelihood, generate");
  EXPECT_EQ(failure("[\"acc\"]", "[\"f1\"]"),
            ": metrics: found f1, expected acc, acc_norm, balanced_acc");
  EXPECT_EQ(failure("[\"acc\"]", "[]"), ": metrics: found none, expected at least one");
  EXPECT_EQ(failure("[\"acc\"]", "[1]"), ": metrics: found 1, expected an array of strings");
  EXPECT_EQ(failure("[\"a\", \"b\"]", "[\"a\"]"),
            ": prompt.choices: found 1 entries, expected at least two");
  EXPECT_EQ(
      failure("[\"a\", \"b\"]", "\"x {a}\""),
      ": prompt.choices: found x {a}, expected an array, or one placeholder for a list column");
  EXPECT_EQ(failure("gold = 0", ""),
            ": prompt.gold: found both or neither of gold and right, expected one of them");
  EXPECT_EQ(
      failure("gold = 0", "gold = 0\ncontexts = [\"a\", \"b\"]"),
      ": prompt.choices: found neither choices alone nor contexts with continuation, expected "
      "text and choices, or contexts and continuation");
  EXPECT_EQ(failure("gold = 0", "gold = 0\n[generation]\nstops = []"),
            ": generation: found a table, expected none: only kind \"generate\" has it");
  EXPECT_EQ(failure("gold = 0", "gold = 0\n[few_shot]\nsplit = \"a\"\npick = \"best\""),
            ": few_shot.pick: found best, expected random or first");
  EXPECT_EQ(
      failure("gold = 0", "gold = 0\n[[clean]]\nwith = \"\""),
      ": clean[0].replace: found both or neither of replace and pattern, expected one of them");
  EXPECT_EQ(failure("gold = 0", "gold = 0\n[[clean]]\nreplace = \"\"\nwith = \"\""),
            ": clean[0].replace: found an empty text, expected a text to replace");
  EXPECT_EQ(failure("\"multiple_choice\"", "\"loglikelihood\""),
            ": prompt.choices: found a value, expected none: only kind \"multiple_choice\" has it");
}

TEST(TaskFile, RefusesTargetsWhereTheKindHasNone) {
  const ScratchFolder folder;
  TaskCatalogue catalogue;
  const std::string head =
      "version = 1\nsource = \"\"\n[data]\npath = \"p\"\nsplit = \"s\"\n[prompt]\ntext = \"{q}\"\n";
  const std::string rolling =
      file_in(folder,
              "r.toml",
              "task = \"r\"\nkind = \"rolling_loglikelihood\"\nmetrics = [\"bits_per_byte\"]\n" +
                  head + "target = \"x\"\n");
  EXPECT_EQ(message_of([&] { add_task_file(rolling, catalogue); }),
            rolling + ": prompt.target: found a value, expected none: the text itself is scored");
  const std::string loglikelihood = file_in(
      folder, "l.toml", "task = \"l\"\nkind = \"loglikelihood\"\nmetrics = [\"acc\"]\n" + head);
  EXPECT_EQ(message_of([&] { add_task_file(loglikelihood, catalogue); }),
            loglikelihood + ": prompt.target: found nothing, expected this key");
  const std::string generate =
      file_in(folder,
              "g.toml",
              "task = \"g\"\nkind = \"generate\"\nmetrics = [\"exact_match\"]\n" + head +
                  "target = \"{a}\"\n[generation]\nstops = []\nfilters = []\n");
  EXPECT_EQ(message_of([&] { add_task_file(generate, catalogue); }),
            generate + ": generation.filters: found none, expected at least one");
}

TEST(TaskFile, OfProgramsSaysHowTheyAreMade) {
  const ScratchFolder folder;
  const std::string head =
      "task = \"p\"\nversion = 1\nsource = \"\"\nkind = \"generate\"\n"
      "[data]\npath = \"p\"\nsplit = \"s\"\n[prompt]\ntext = \"{q}\"\n";
  const auto read = [&](const std::string& metrics, const std::string& rest) {
    TaskCatalogue catalogue;
    add_task_file(file_in(folder, "p.toml", "metrics = [" + metrics + "]\n" + head + rest),
                  catalogue);
    return catalogue.tasks.at("p");
  };
  const std::string file = (folder / "p.toml").string();
  const std::string generation = "[generation]\nstops = []\n";
  const Task task = read("\"pass@k\"", generation + "[program]\nafter = \"\\n{t}\"\nsamples = 5\n");
  EXPECT_EQ(task.program->samples, 5);
  EXPECT_EQ(task.program->k, std::vector<int64_t>{1});
  EXPECT_FALSE(task.target);
  EXPECT_EQ(message_of([&] { read("\"pass@k\"", generation); }),
            file + ": metrics: found pass@k, expected it alone, and a table [program]");
  EXPECT_EQ(message_of([&] { read("\"pass@k\"", generation + "[program]\nseconds = 0\n"); }),
            file + ": program.seconds: found 0, expected above 0, at most 3600");
  EXPECT_EQ(message_of([&] { read("\"pass@k\"", generation + "[program]\nk = [0]\n"); }),
            file + ": program.k: found 0, expected an array of integers from 1 up");
  EXPECT_EQ(
      message_of([&] { read("\"pass@k\"", generation + "filters = []\n[program]\n"); }),
      file + ": generation.filters: found a table, expected none: no answer is read for pass@k");
  EXPECT_EQ(message_of([&] {
              read("\"pass@k\"",
                   generation + "[program]\n[few_shot]\nsplit = \"a\"\npick = \"first\"\n");
            }),
            file + ": prompt.target: found nothing, expected this key");
}

TEST(TaskFile, DefinesAFamilyAndItsGroups) {
  const ScratchFolder folder;
  std::string text(kTask);
  text.replace(text.find("\"t\""), 3, "\"f_{subset}\"\ngroup = \"f\"");
  text.replace(text.find("o/n/c"), 5, "o/n/{subset}");
  text +=
      "description = \"About {subset|spaces}: {subset|about}\"\n[subsets]\nx = [\"a_b\"]\n"
      "y = [\"c\"]\n[about]\na_b = \"A and B.\"\nc = \"C.\"\n";
  TaskCatalogue catalogue;
  add_task_file(file_in(folder, "f.toml", text), catalogue);
  EXPECT_EQ(catalogue.tasks.at("f_a_b").description, "About a b: A and B.");
  EXPECT_EQ(catalogue.tasks.at("f_a_b").data_path, "o/n/a_b");
  EXPECT_EQ(resolve_tasks(catalogue, {"f_y", "f", "f_c"}),
            (std::vector<std::string>{"f_c", "f_a_b"}));
}

TEST(TaskFolder, RefusesNamesThatMeanNothingOrTwoThings) {
  const ScratchFolder folder;
  EXPECT_EQ(message_of([&] { read_task_folder(folder / "none"); }),
            (folder / "none").string() + ": found no .toml file, expected task files");
  const std::string first = file_in(folder, "t.toml", kTask);
  const std::string second = file_in(folder, "u.toml", kTask);
  EXPECT_EQ(message_of([&] { read_task_folder(folder / ""); }),
            second + ": task: found t, expected a new name (also defined in " + first + ")");
  std::filesystem::remove(second);
  file_in(folder, "g.toml", "group = \"g\"\ntasks = [\"t\", \"zzz\"]");
  EXPECT_EQ(message_of([&] { read_task_folder(folder / ""); }),
            (folder / "").string() + ": group g: found zzz, expected a task of this folder");
  file_in(folder, "g.toml", "group = \"group\"\ntasks = [\"t\"]");
  const TaskCatalogue catalogue = read_task_folder(folder / "");
  EXPECT_EQ(message_of([&] { resolve_tasks(catalogue, {"groop"}); }),
            "--tasks: found groop, expected a task, a group or a .toml file (did you mean group?)");
}

TEST(TaskFolder, OfTheProjectIsWellFormed) {
  const TaskCatalogue catalogue = read_task_folder(SLAYER_SOURCE_DIR "/tasks");
  EXPECT_EQ(resolve_tasks(catalogue, {"mmlu"}).size(), 57U);
  EXPECT_EQ(resolve_tasks(catalogue, {"mmlu_legal"}).size(), 3U);
  for (const char* const name : {"arc_easy",
                                 "arc_challenge",
                                 "hellaswag",
                                 "truthfulqa_mc1",
                                 "truthfulqa_mc2",
                                 "winogrande",
                                 "piqa",
                                 "boolq",
                                 "openbookqa",
                                 "lambada_openai",
                                 "wikitext",
                                 "gsm8k",
                                 "gsm8k_pot",
                                 "humaneval",
                                 "mbpp",
                                 "legalbench_hearsay"}) {
    EXPECT_TRUE(catalogue.tasks.contains(name)) << name;
  }
}

}  // namespace
}  // namespace slayer
