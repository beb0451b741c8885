#include <filesystem>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <string>

#include "slayer/core/file.h"
#include "slayer/core/json.h"

#include "tests/support/tiny_stages.h"

namespace slayer {
namespace {

/// Runs with the stages that a recipe may have besides.
class MoreStages : public TinyStages {
 protected:
  std::string model_of(const std::string& evaluation) {
    return read_json_file(folder_ / ("run/eval/" + evaluation))["model"].get<std::string>();
  }

  static std::string hash_of(const std::filesystem::path& model) {
    const Outcome outcome = run_slayer({"inspect", model.string(), "--json"});
    return parse_json(outcome.out, "inspect")["hash"].get<std::string>();
  }
};

TEST_F(MoreStages, PlansFromWhatItProbed) {
  plan_from_a_probe();
  const Outcome dry = run("run", {"--dry-run"});
  EXPECT_TRUE(dry.out.starts_with("probe            to do       about ")) << dry.out << dry.err;
  const Outcome first = run("run");
  ASSERT_EQ(first.exit_code, 0) << first.err;
  EXPECT_NE(first.err.find("nats per token of the domain when removed"), std::string::npos)
      << first.err;
  EXPECT_FALSE(std::filesystem::exists(folder_ / "run/probe.json.journal"));
  const Json plan = read_json_file(folder_ / "run/plan.json");
  EXPECT_EQ(plan["strategy"], "auto");
  EXPECT_EQ(plan["layers"].size(), 6U);
  EXPECT_EQ(result("run")["plan"]["reasons"].size(), 2U);
  // As the command line does it.
  const Outcome by_hand = run_slayer({"plan",
                                      SLAYER_FIXTURES "/models/smollm",
                                      "--strategy",
                                      "auto",
                                      "--probe",
                                      folder_ / "run/probe.json",
                                      "--new",
                                      "2",
                                      "--prune",
                                      "0",
                                      "--out",
                                      folder_ / "plan.json"});
  EXPECT_EQ(by_hand.exit_code, 0) << by_hand.err;
  EXPECT_EQ(read_json_file(folder_ / "plan.json"), plan);
  const std::string page = read_text_file(folder_ / "run/report.html");
  EXPECT_NE(page.find("\"probe\":{\"format\":1"), std::string::npos);

  replace_in_recipe("new_layers = 2", "new_layers = 1");
  const Outcome again = run("run", {"--force"});
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_NE(again.err.find("probe: up to date"), std::string::npos) << again.err;
  EXPECT_EQ(again.err.find("plan: up to date"), std::string::npos) << again.err;
  EXPECT_EQ(read_json_file(folder_ / "run/plan.json")["layers"].size(), 5U);
}

TEST_F(MoreStages, RefusesWhatCannotBeProbedBeforeAnythingIsDone) {
  plan_from_a_probe();
  replace_in_recipe("prune = 0", "prune = 4");
  EXPECT_EQ(run("run").err,
            fmt::format("slayer: {}: plan: layers to prune: found 4, expected 0 to 3\n",
                        (folder_ / "recipe.toml").string()));
  replace_in_recipe("prune = 4", "prune = 0");
  append_to_recipe("last = 4\n");
  EXPECT_NE(run("run").err.find("recipe.toml: probe: "), std::string::npos) << run("run").err;
  EXPECT_FALSE(std::filesystem::exists(folder_ / "run"));
}

TEST_F(MoreStages, ProbesTasksToo) {
  plan_from_a_probe();
  know_words();
  append_to_recipe("domain_tasks = [\"words\"]\n");
  const Outcome early = run("run", {"--only", "probe"});
  EXPECT_EQ(early.exit_code, 1);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "run")) << early.err;
  write_text_file(folder_ / "data/o/n/c/test.jsonl",
                  "{\"q\": \"one\", \"c\": [\"a\", \"b\"], \"a\": 0}\n"
                  "{\"q\": \"two\", \"c\": [\"a\", \"b\"], \"a\": 1}\n");
  const Outcome outcome = run("run", {"--only", "probe"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const Json probe = read_json_file(folder_ / "run/probe.json");
  EXPECT_EQ(probe["domain"]["tasks"]["words"]["task"]["items"], 2);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "run/plan.json"));
}

TEST_F(MoreStages, LearnsConversationsAfterTheText) {
  learn_conversations(/*steps=*/3);
  append_to_recipe("[export]\ngguf = [\"f32\"]\npack = true\n");
  const Outcome first = run("run");
  ASSERT_EQ(first.exit_code, 0) << first.err;
  EXPECT_EQ(model_of("new.json"), hash_of(folder_ / "run/sft/model"));
  EXPECT_NE(model_of("new.json"), hash_of(folder_ / "run/train/model"));
  EXPECT_EQ(hash_of(folder_ / "run/export/model-f32.gguf").size(), 64U);
  EXPECT_EQ(result("run")["sft"]["method"], "plan");
  const std::string page = read_text_file(folder_ / "run/report.html");
  EXPECT_NE(page.find("\"sft_training\":{\"step\":[1.0"), std::string::npos);
  EXPECT_NE(page.find(" of conversations."), std::string::npos);

  replace_in_recipe("steps = 3", "steps = 2");
  const Outcome again = run("run", {"--force"});
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_NE(again.err.find("train: up to date"), std::string::npos) << again.err;
  EXPECT_EQ(again.err.find("sft: up to date"), std::string::npos) << again.err;
  EXPECT_EQ(again.err.find("eval-new: up to date"), std::string::npos) << again.err;
  EXPECT_NE(run("run").err.find("sft: up to date"), std::string::npos);
}

TEST_F(MoreStages, NeedsAChatTemplateForConversations) {
  learn_conversations(/*steps=*/3);
  std::filesystem::remove(folder_ / "model/chat_template.jinja");
  const Outcome outcome = run("run");
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_NE(outcome.err.find("found no chat template"), std::string::npos) << outcome.err;
  EXPECT_FALSE(std::filesystem::exists(folder_ / "run"));
}

TEST_F(MoreStages, TrainsByOtherMethodsAndWatches) {
  replace_in_recipe("shallow = 1.0", "strategy = \"passthrough\"\nranges = \"0:4\"");
  replace_in_recipe("lr = 1e-3", "lr = 1e-3\neval_general = [\"general.jsonl\"]\neval_every = 3");
  append_to_recipe(R"(
[variants.lora.train]
method = "lora"
lora_rank = 2
lora_targets = ["q_proj"]
[variants.last.train]
method = "last-k"
last_k = 1
)");
  const Outcome outcome = run("run");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const Json summary = read_json_file(folder_ / "run/summary.json");
  const Json lora = summary["variants"][0]["summary"];
  EXPECT_EQ(lora["train"]["trains"], "rank 2 (alpha 4) beside q_proj of 4 layers");
  EXPECT_EQ(lora["models"]["new"]["trained_parameters"], 4 * 2 * (24 + 24));
  const Json last = summary["variants"][1]["summary"];
  EXPECT_EQ(last["train"]["trains"], "layers 3");
  EXPECT_EQ(last["plan"]["sketch"], "===*");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "run/variants/last/expanded"));
  const std::string metrics = read_text_file(folder_ / "run/variants/lora/train/metrics.jsonl");
  EXPECT_NE(metrics.find("general_loss"), std::string::npos) << metrics;

  replace_in_recipe("last_k = 1", "last_k = 5");
  EXPECT_NE(run("run").err.find(
                "recipe.toml: train.last_k: found 5, expected at most the model's 4 layers"),
            std::string::npos)
      << run("run").err;
}

}  // namespace
}  // namespace slayer
