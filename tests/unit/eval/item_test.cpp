#include "slayer/eval/item.h"

#include <gtest/gtest.h>

#include "tests/support/error_message.h"
#include "tests/support/text_file.h"

namespace slayer {
namespace {

/// A data folder with one task file and its rows.
class ItemTest : public testing::Test {
 protected:
  void rows(const std::string& split, const std::string& jsonl) {
    file_in(folder_, "data/o/n/c/" + split + ".jsonl", jsonl);
  }

  std::vector<Item> items(const std::string& head,
                          const std::string& prompt,
                          const ItemOptions& options = {}) {
    const std::string text = "task = \"t\"\nversion = 1\nsource = \"\"\n" + head +
                             "\n[data]\npath = \"o/n/c\"\nsplit = \"test\"\n" + prompt;
    TaskCatalogue catalogue;
    add_task_file(file_in(folder_, "t.toml", text), catalogue);
    return read_items(catalogue.tasks.at("t"), folder_ / "data", options);
  }

  ScratchFolder folder_;
};

const std::string kChoice = "kind = \"multiple_choice\"\nmetrics = [\"acc\"]";

TEST_F(ItemTest, HasOneRequestAChoice) {
  rows("test", R"({"q": "Why?", "c": ["x", "y z"], "l": ["A", "B"], "a": "B"})");
  const auto made = items(kChoice,
                          "[prompt]\ndescription = \"D\\n\"\ntext = \"Q: {q}\"\nchoices = \"{c}\"\n"
                          "gold = \"{a}\"\ngold_among = \"{l}\"");
  ASSERT_EQ(made.size(), 1U);
  ASSERT_EQ(made[0].requests.size(), 2U);
  EXPECT_EQ(made[0].requests[1].context, "D\nQ: Why?");
  EXPECT_EQ(made[0].requests[1].continuation, " y z");
  EXPECT_EQ(made[0].choices, (std::vector<std::string>{"x", "y z"}));
  EXPECT_EQ(made[0].gold, 1);
}

TEST_F(ItemTest, OfPartialEvaluationHasOneContextAChoice) {
  rows("test", R"({"s": "The _ is big.", "o": ["cat", "dog"], "a": 1})");
  const auto made =
      items(kChoice,
            "[prompt]\ncontexts = [\"{s|before(_)}{o[0]}\", \"{s|before(_)}{o[1]}\"]\n"
            "continuation = \"{s|after(_)|strip}\"\ngold = \"{a}\"");
  ASSERT_EQ(made[0].requests.size(), 2U);
  EXPECT_EQ(made[0].requests[1].context, "The dog");
  EXPECT_EQ(made[0].requests[1].continuation, " is big.");
}

TEST_F(ItemTest, CarriesAProblemWhereARowIsBad) {
  rows("test", "{\"q\": \"1\", \"a\": 0}\n{\"q\": \"2\", \"a\": 2}\n{\"a\": 1}\n");
  const auto made =
      items(kChoice, "[prompt]\ntext = \"{q}\"\nchoices = [\"x\", \"y\"]\ngold = \"{a}\"");
  const std::string file = (folder_ / "data/o/n/c/test.jsonl").string();
  ASSERT_EQ(made.size(), 3U);
  EXPECT_EQ(made[0].problem, "");
  EXPECT_EQ(made[1].problem,
            file + ": row 1: column gold: found 2, expected the label of one of 2 choices");
  EXPECT_EQ(made[2].problem, file + ": row 2: column q: found nothing, expected a field q");
}

TEST_F(ItemTest, CannotBeMadeOfAFileWithoutTheColumns) {
  rows("test", "{\"a\": 0}\n");
  const std::string file = (folder_ / "data/o/n/c/test.jsonl").string();
  EXPECT_EQ(message_of([&] {
              items(kChoice, "[prompt]\ntext = \"{q}\"\nchoices = [\"x\", \"y\"]\ngold = \"{a}\"");
            }),
            file +
                ": data of task t: found no row that can be used, expected the columns that the "
                "task names (" +
                file + ": row 0: column q: found nothing, expected a field q)");
}

TEST_F(ItemTest, ShowsTheFirstRowsAsExamples) {
  rows("test", "{\"q\": \"2\", \"a\": 0}\n");
  rows("dev", "{\"q\": \"0\", \"a\": 1}\n{\"q\": \"1\", \"a\": 0}\n");
  const std::string prompt =
      "[few_shot]\nsplit = \"dev\"\npick = \"first\"\n[prompt]\ntext = \"{q}:\"\n"
      "choices = [\"x\", \"y\"]\ngold = \"{a}\"";
  EXPECT_EQ(items(kChoice, prompt, {.num_fewshot = 2})[0].requests[0].context,
            "0: y\n\n1: x\n\n2:");
  EXPECT_EQ(message_of([&] { items(kChoice, prompt, {.num_fewshot = 3}); }),
            (folder_ / "data/o/n/c/dev.jsonl").string() +
                ": few-shot examples of task t: found 2 rows, expected enough for 3 examples");
}

TEST_F(ItemTest, ShowsTheRowsFromAGivenOneOn) {
  rows("test", "{\"q\": \"9\", \"a\": 0}\n");
  rows("dev", "{\"q\": \"0\", \"a\": 1}\n{\"q\": \"1\", \"a\": 0}\n{\"q\": \"2\", \"a\": 1}\n");
  const std::string prompt =
      "[few_shot]\nsplit = \"dev\"\npick = \"first\"\nfirst_row = 1\n[prompt]\ntext = \"{q}:\"\n"
      "choices = [\"x\", \"y\"]\ngold = \"{a}\"";
  EXPECT_EQ(items(kChoice, prompt, {.num_fewshot = 2})[0].requests[0].context,
            "1: x\n\n2: y\n\n9:");
  EXPECT_EQ(message_of([&] { items(kChoice, prompt, {.num_fewshot = 3}); }),
            (folder_ / "data/o/n/c/dev.jsonl").string() +
                ": few-shot examples of task t: found 3 rows, expected enough for 3 examples");
}

TEST_F(ItemTest, HasTheProblemOfAnExampleThatCannotBeShown) {
  rows("test", "{\"q\": \"1\", \"a\": 0}\n{\"q\": \"2\", \"a\": 0}\n");
  rows("train", "{\"q\": \"3\", \"a\": 0}\n{\"q\": \"4\", \"a\": 7}\n");
  const auto made = items(kChoice,
                          "[few_shot]\nsplit = \"train\"\npick = \"random\"\n[prompt]\n"
                          "text = \"{q}:\"\nchoices = [\"x\", \"y\"]\ngold = \"{a}\"",
                          {.num_fewshot = 1});
  // random.Random(1234): sample(range(2), 1) is [1], then [0].
  EXPECT_EQ(made[0].problem,
            (folder_ / "data/o/n/c/train.jsonl").string() +
                ": row 1: column gold: found 7, expected the label of one of 2 choices");
  EXPECT_EQ(made[1].requests[0].context, "3: x\n\n2:");
}

TEST_F(ItemTest, MakesAProgramOfBothSides) {
  rows("test", R"({"p": "def f():", "t": "assert f() == 1"})");
  const auto made = items("kind = \"generate\"\nmetrics = [\"pass@k\"]",
                          "[prompt]\ntext = \"{p}\"\n[generation]\nstops = []\n"
                          "[program]\nbefore = \"{p}\"\nafter = \"\\n{t}\"");
  EXPECT_EQ(made[0].program_before, "def f():");
  EXPECT_EQ(made[0].program_after, "\nassert f() == 1");
  EXPECT_EQ(made[0].place, (folder_ / "data/o/n/c/test.jsonl").string() + ": row 0: column p");
}

TEST_F(ItemTest, DrawsExamplesAsPythonDoesAndLeavesTheItemOut) {
  std::string pool;
  for (int i = 0; i < 20; ++i) {
    pool += "{\"q\": \"" + std::to_string(i) + "\", \"a\": 0}\n";
  }
  rows("train", pool);
  rows("test", "{\"q\": \"3\", \"a\": 0}\n");
  const std::string prompt =
      "[prompt]\ntext = \"{q}:\"\nchoices = [\"x\", \"y\"]\ngold = \"{a}\"\n"
      "[few_shot]\nsplit = \"train\"\npick = \"random\"\n";
  // random.Random(1234).sample(range(20), 5) is 14, 3, 0, 2, 1.
  EXPECT_EQ(items(kChoice, prompt, {.num_fewshot = 5})[0].requests[0].context,
            "14: x\n\n3: x\n\n0: x\n\n2: x\n\n1: x\n\n3:");
  EXPECT_EQ(
      items(kChoice, prompt + "skip_item = true\n", {.num_fewshot = 4})[0].requests[0].context,
      "14: x\n\n0: x\n\n2: x\n\n1: x\n\n3:");
}

TEST_F(ItemTest, CountsTheWordsAndBytesOfTheOriginalText) {
  rows("test", R"({"page": " a , b\n"})");
  const auto made =
      items("kind = \"rolling_loglikelihood\"\nmetrics = [\"word_perplexity\"]",
            "[prompt]\ntext = \"{page}\"\n[[clean]]\nreplace = \" , \"\nwith = \", \"");
  EXPECT_EQ(made[0].requests[0].continuation, " a, b\n");
  EXPECT_EQ(made[0].words, 5);  // An empty one before and after.
  EXPECT_EQ(made[0].bytes, 7);
}

TEST_F(ItemTest, NeedsItsFiles) {
  const std::string prompt = "[prompt]\ntext = \"{q}\"\nchoices = [\"x\", \"y\"]\ngold = \"{a}\"";
  const std::string folder = (folder_ / "data/o/n/c").string();
  EXPECT_EQ(message_of([&] { items(kChoice, prompt); }),
            folder +
                "/test-*.parquet: data of task t: found nothing, expected this file or "
                "test.jsonl (hf download --repo-type dataset o/n --include 'c/test-*' "
                "--local-dir " +
                (folder_ / "data/o/n").string() + ")");
  rows("test", "\n");
  EXPECT_EQ(message_of([&] { items(kChoice, prompt); }),
            folder + "/test.jsonl: data of task t: found no rows, expected at least one");
  rows("test", "{\"q\": \"2\", \"a\": 0}\n");
  EXPECT_EQ(message_of([&] { items(kChoice, prompt, {.num_fewshot = 1}); }),
            "--num-fewshot: found 1, expected 0: task t has no examples");
  EXPECT_EQ(message_of([&] {
              items(kChoice,
                    prompt + "\ndescription_file = \"o/primer.txt\"\ndescription_source = \"P\"");
            }),
            (folder_ / "data/o/primer.txt").string() +
                ": text before the questions of task t: found nothing, expected this file "
                "(published as P)");
}

}  // namespace
}  // namespace slayer
